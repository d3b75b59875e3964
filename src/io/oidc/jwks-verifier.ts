/** Tokens signed by an identity provider, checked against the keys that it publishes. */
import type { JWTPayload } from "jose";
import type { Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/log.ts";
import type { TokenVerifier } from "../../ports/token-verifier.ts";
import { readProviderKeys } from "./provider-document.ts";
import { ProviderKeys } from "./provider-keys.ts";
import { verifyToken } from "./verify-token.ts";

/** Whose tokens, and for whom. */
export interface JwksOptions {
  /** As the provider writes it, exactly. */
  readonly issuer: string;
  /** The client id that tokens must be for; absent: any token of the issuer does. */
  readonly audience?: string;
  readonly clock: Pick<Clock, "monotonic">;
  readonly log: Logger;
}

/**
 * Returns a verifier of RS256 and ES256 tokens. It asks the provider for its keys at once,
 * and does without an answer until a token comes.
 */
export function jwksVerifier({ issuer, audience, clock, log }: JwksOptions): TokenVerifier {
  const keys = new ProviderKeys({ issuer, read: () => readProviderKeys(issuer), clock, log });
  const rules = {
    algorithms: ["RS256", "ES256"],
    issuer,
    whyUnfit: (claims: JWTPayload) => (audience === undefined ? undefined : whyForOthers(claims, audience)),
  };
  void keys.refresh();
  return { verify: (token, now) => verifyToken(token, keys.find, { now, rules }) };
}

/**
 * A token is for this system when its audience says so, or when it was issued to this
 * system's own client (OpenID Connect Core, section 2, azp): Keycloak names in the audience
 * of an access token only the other services that it is good for.
 */
function whyForOthers({ aud, azp }: JWTPayload, audience: string): string | undefined {
  const named = aud === undefined ? [] : [aud].flat();
  if (named.includes(audience) || azp === audience) return undefined;
  return named.length === 0 ? "it has no audience (aud)" : `it is for ${named.join(", ")}, not for ${audience}`;
}
