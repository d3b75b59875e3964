/**
 * Bearer tokens to verified claims. One implementation: HS256 with a shared secret. Tokens
 * of an identity provider are another implementation of the same interface.
 */
import { errors, type JWTPayload, jwtVerify } from "jose";
import type { Claims } from "../../core/access/derive-role.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";

/** What a token proves, and until when. */
export interface VerifiedToken {
  readonly subject: string;
  readonly claims: Claims;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

export interface TokenVerifier {
  /** @throws UNAUTHENTICATED or TOKEN_EXPIRED, saying why. */
  verify(token: string, now: number): Promise<VerifiedToken>;
}

/** How far the clocks of who signs and who verifies may differ. */
export const CLOCK_LEEWAY_MS = 60_000;

const ALGORITHM = "HS256";

/**
 * Returns a verifier of HS256 tokens. A token that names audiences must name `audience`
 * when one is expected; a token that names none is for everyone who shares the secret.
 */
export function hmacVerifier(secret: string, audience?: string): TokenVerifier {
  const key = new TextEncoder().encode(secret);
  return {
    async verify(token, now) {
      const claims = await verified(token, key, now);
      if (audience !== undefined && claims.aud !== undefined && ![claims.aud].flat().includes(audience)) {
        throw refused(`it is for ${[claims.aud].flat().join(", ")}, not for ${audience}`);
      }
      if (typeof claims.sub !== "string" || claims.sub === "") throw refused("it has no subject (sub)");
      return { subject: claims.sub, claims, expiresAt: (claims.exp ?? 0) * 1000 };
    },
  };
}

async function verified(token: string, key: Uint8Array, now: number): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: [ALGORITHM],
      requiredClaims: ["sub", "exp"],
      clockTolerance: CLOCK_LEEWAY_MS / 1000,
      currentDate: new Date(now),
    });
    return payload;
  } catch (error) {
    if (error instanceof errors.JWTExpired) {
      throw new LatticeError(fault("TOKEN_EXPIRED", "the token has expired"), { cause: error });
    }
    throw refused(whyInvalid(error), error);
  }
}

function whyInvalid(error: unknown): string {
  if (error instanceof errors.JWSSignatureVerificationFailed) return "its signature does not match";
  if (error instanceof errors.JOSEAlgNotAllowed) return `its algorithm is not ${ALGORITHM}`;
  if (error instanceof errors.JWTClaimValidationFailed) {
    return error.reason === "missing" ? `it has no claim ${error.claim}` : `its claim ${error.claim} does not hold`;
  }
  return "it is not a well-formed JSON web token";
}

const refused = (why: string, cause?: unknown) =>
  new LatticeError(fault("UNAUTHENTICATED", `the token is refused: ${why}`), { cause });
