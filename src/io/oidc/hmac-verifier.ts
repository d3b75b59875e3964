/** Tokens signed with a secret that the servers share: for development, tests and emergencies. */
import type { JWTPayload } from "jose";
import type { TokenVerifier } from "../../ports/token-verifier.ts";
import { verifyToken } from "./verify-token.ts";

/**
 * Returns a verifier of HS256 tokens. A token that names audiences must name `audience`
 * when one is expected; a token that names none is for everyone who shares the secret.
 */
export function hmacVerifier(secret: string, audience?: string): TokenVerifier {
  const key = new TextEncoder().encode(secret);
  const rules = {
    algorithms: ["HS256"],
    whyUnfit: ({ aud }: JWTPayload) => {
      if (audience === undefined || aud === undefined || [aud].flat().includes(audience)) return undefined;
      return `it is for ${[aud].flat().join(", ")}, not for ${audience}`;
    },
  };
  return { verify: (token, now) => verifyToken(token, () => key, { now, rules }) };
}
