/**
 * Credential to principal, for every face. With a verifier, the principal comes from the
 * verified token alone. Without one the server is open: everyone is SystemAdmin, and the
 * header `x-lattice-user` may say who, since there is no identity that it could take away.
 */
import { derivePrincipal } from "../../core/access/derive-role.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import { userId } from "../../core/domain/ids.ts";
import type { Principal } from "../../core/domain/principal.ts";
import { CLOCK_LEEWAY_MS, type TokenVerifier } from "./token-verifier.ts";

/** The one method of Headers that authentication needs. */
export interface HeaderReader {
  get(name: string): string | null;
}

/** How callers prove who they are. */
export interface AuthSettings {
  /** Absent on an open server. */
  readonly verifier?: TokenVerifier;
  /** The claim that names the tenant. */
  readonly tenantClaim?: string;
}

/** Honoured on an open server only. */
export const USER_HEADER = "x-lattice-user";

const TOKEN_LENGTH_MAX = 8_192;
const CACHED_TOKENS_MAX = 10_000;
const BEARER = /^bearer +(\S+)$/i;
const USER_NAME = /^[\w.@-]{1,64}$/;
const ANONYMOUS: Principal = { user: userId("anonymous"), role: "SystemAdmin" };

interface CachedToken {
  readonly principal: Principal;
  readonly validUntil: number;
}

/** Turns credentials into principals, and remembers verified tokens until they expire. */
export class Authenticator {
  readonly #verified = new Map<string, CachedToken>();
  readonly #tenantClaim: string;

  constructor(
    private readonly settings: AuthSettings,
    private readonly now: () => number,
  ) {
    this.#tenantClaim = settings.tenantClaim ?? "tenant";
  }

  /** Returns who calls; at once where the token is known. @throws UNAUTHENTICATED, TOKEN_EXPIRED, MALFORMED. */
  authenticate(headers: HeaderReader): Principal | Promise<Principal> {
    const { verifier } = this.settings;
    if (verifier === undefined) return openPrincipal(headers);
    const token = bearerToken(headers);
    const cached = this.#verified.get(token);
    if (cached !== undefined) {
      if (this.now() < cached.validUntil) return cached.principal;
      this.#verified.delete(token);
    }
    return this.#verify(verifier, token);
  }

  async #verify(verifier: TokenVerifier, token: string): Promise<Principal> {
    const { subject, claims, expiresAt } = await verifier.verify(token, this.now());
    const principal = derivePrincipal(subject, claims, this.#tenantClaim);
    for (const oldest of this.#verified.keys()) {
      if (this.#verified.size < CACHED_TOKENS_MAX) break;
      this.#verified.delete(oldest);
    }
    this.#verified.set(token, { principal, validUntil: expiresAt + CLOCK_LEEWAY_MS });
    return principal;
  }
}

function openPrincipal(headers: HeaderReader): Principal {
  const name = headers.get(USER_HEADER);
  if (name === null || name === "") return ANONYMOUS;
  if (!USER_NAME.test(name)) throw new LatticeError(fault("MALFORMED", `${USER_HEADER} is not a user name`));
  return { user: userId(name), role: "SystemAdmin" };
}

function bearerToken(headers: HeaderReader): string {
  const header = headers.get("authorization");
  if (header === null) throw unauthenticated("the request has no token");
  if (header.length > TOKEN_LENGTH_MAX)
    throw unauthenticated(`the token is longer than ${TOKEN_LENGTH_MAX} characters`);
  const token = BEARER.exec(header)?.[1];
  if (token === undefined) throw unauthenticated("the authorization header is not of the form: Bearer TOKEN");
  return token;
}

const unauthenticated = (message: string) => new LatticeError(fault("UNAUTHENTICATED", message));
