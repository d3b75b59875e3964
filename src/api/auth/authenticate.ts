/**
 * Credential to principal, for every face. With a verifier, the principal comes from the
 * verified token alone. Without one the server is open: everyone is SystemAdmin, and the
 * header `x-lattice-user` may say who, since there is no identity that it could take away.
 *
 * A machine's certificate makes its principal where there is no token; a person's lets
 * nobody in without one, except at an open server, where it says who it is.
 *
 * Invariant INV-A1: where tokens are checked, the principal is made of the verified token
 * alone; nothing else in a request adds to it.
 */
import type { CertificateIdentity } from "../../core/access/certificate.ts";
import { machineOf } from "../../core/access/certificate.ts";
import type { ClaimNames } from "../../core/access/derive-role.ts";
import { derivePrincipal } from "../../core/access/derive-role.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import { userId } from "../../core/domain/ids.ts";
import type { Principal } from "../../core/domain/principal.ts";
import type { TokenVerifier } from "../../ports/token-verifier.ts";

/** The one method of Headers that authentication needs. */
export interface HeaderReader {
  get(name: string): string | null;
}

/** How callers prove who they are. */
export interface AuthSettings {
  /** Absent on an open server. Another one withdraws what the former has let in. */
  readonly verifier?: TokenVerifier;
  /** The claims that name the user and the tenant. */
  readonly claims?: ClaimNames;
}

/** Who calls, and until when that is proven. */
export interface Caller {
  readonly principal: Principal;
  /** Milliseconds since the epoch; absent where there is no credential that could end. */
  readonly validUntil?: number;
}

/** Honoured on an open server only. */
export const USER_HEADER = "x-lattice-user";

/** The names of claims where the configuration gives none. */
export const DEFAULT_CLAIMS: ClaimNames = { user: "preferred_username", tenant: "tenant" };

/** How long a verified token is taken for verified: within this time a withdrawn key is noticed. */
export const VERIFIED_MS = 300_000;

const TOKEN_LENGTH_MAX = 8_192;
const CACHED_TOKENS_MAX = 10_000;
const BEARER = /^bearer +(\S+)$/i;
const USER_NAME = /^[\w.@-]{1,64}$/;
const ANONYMOUS: Principal = { user: userId("anonymous"), role: "SystemAdmin" };

interface CachedToken {
  readonly caller: Caller;
  readonly verifier: TokenVerifier;
  readonly freshUntil: number;
}

/** Turns credentials into principals, and remembers verified tokens for a while. */
export class Authenticator {
  readonly #verified = new Map<string, CachedToken>();
  /** Tokens whose verification runs: many requests with the same token wait for one. */
  readonly #verifying = new Map<string, Promise<Caller>>();

  constructor(
    private readonly settings: AuthSettings,
    private readonly now: () => number,
  ) {}

  /** Returns who calls; at once where the token is known. @throws UNAUTHENTICATED, TOKEN_EXPIRED, MALFORMED. */
  authenticate(headers: HeaderReader, certificate?: CertificateIdentity): Caller | Promise<Caller> {
    if (certificate !== undefined) demandValid(certificate, this.now());
    const { verifier } = this.settings;
    const isOpen = verifier === undefined;
    if (certificate !== undefined && (isOpen || headers.get("authorization") === null)) {
      return certified(certificate, isOpen, headers);
    }
    if (isOpen) return { principal: openPrincipal(headers) };
    const token = bearerToken(headers);
    const cached = this.#verified.get(token);
    if (cached !== undefined) {
      if (this.now() < cached.freshUntil && cached.verifier === verifier) return cached.caller;
      this.#verified.delete(token);
    }
    const running = this.#verifying.get(token);
    if (running !== undefined) return running;
    const verifying = this.#verify(verifier, token).finally(() => this.#verifying.delete(token));
    this.#verifying.set(token, verifying);
    return verifying;
  }

  async #verify(verifier: TokenVerifier, token: string): Promise<Caller> {
    const now = this.now();
    const { subject, claims, validUntil } = await verifier.verify(token, now);
    const principal = derivePrincipal(subject, claims, this.settings.claims ?? DEFAULT_CLAIMS);
    if (!principal.ok) throw new LatticeError(principal.error);
    const caller = { principal: principal.value, validUntil };
    for (const oldest of this.#verified.keys()) {
      if (this.#verified.size < CACHED_TOKENS_MAX) break;
      this.#verified.delete(oldest);
    }
    this.#verified.set(token, { caller, verifier, freshUntil: Math.min(validUntil, now + VERIFIED_MS) });
    return caller;
  }
}

function openPrincipal(headers: HeaderReader): Principal {
  const name = headers.get(USER_HEADER);
  if (name === null || name === "") return ANONYMOUS;
  if (!USER_NAME.test(name)) throw new LatticeError(fault("MALFORMED", `${USER_HEADER} is not a user name`));
  return { user: userId(name), role: "SystemAdmin" };
}

function certified(certificate: CertificateIdentity, isOpen: boolean, headers: HeaderReader): Caller {
  const { subject, validUntil } = certificate;
  const machine = machineOf(certificate);
  if (machine !== undefined) return { principal: machine, validUntil };
  if (!isOpen)
    throw unauthenticated(`the certificate of ${subject || "nobody"} names no machine, and there is no token`);
  const principal = USER_NAME.test(subject) ? { ...ANONYMOUS, user: userId(subject) } : openPrincipal(headers);
  return { principal, validUntil };
}

/** A resumed connection, or a long one, outlives the handshake that has checked this. */
function demandValid({ subject, validUntil }: CertificateIdentity, now: number): void {
  if (now < validUntil) return;
  const next = "connect again with a fresh certificate";
  throw new LatticeError(fault("TOKEN_EXPIRED", `the certificate of ${subject || "the caller"} has expired`, next));
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
