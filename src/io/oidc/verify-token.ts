/**
 * The checks that every token passes, whoever signed it: outline, algorithm, kind,
 * signature, times, subject. Tells in plain words why a token is refused.
 */
import { errors, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from "jose";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { VerifiedToken } from "../../ports/token-verifier.ts";
import { whyMisshapen } from "./token-shape.ts";

/** What a token must satisfy besides. */
export interface TokenRules {
  /** The only algorithms that count, whatever the token says. */
  readonly algorithms: readonly string[];
  /** What `iss` must be. */
  readonly issuer?: string;
  /** Returns why the claims do not do, or undefined. */
  readonly whyUnfit?: (claims: JWTPayload) => string | undefined;
}

/** How far the clocks of who signs and who verifies may differ. */
export const CLOCK_LEEWAY_MS = 60_000;

/** Kinds of tokens that prove who calls (RFC 9068, section 4); a logout token, for one, does not. */
const KINDS: readonly unknown[] = [undefined, "JWT", "jwt", "at+jwt", "application/at+jwt"];

/** Returns what the token proves. @throws UNAUTHENTICATED or TOKEN_EXPIRED, saying why. */
export async function verifyToken(
  token: string,
  key: JWTVerifyGetKey,
  { now, rules }: { readonly now: number; readonly rules: TokenRules },
): Promise<VerifiedToken> {
  const misshapen = whyMisshapen(token);
  if (misshapen !== undefined) throw refused(misshapen);
  const claims = await signedClaims(token, key, { now, rules });
  const unfit = whyNoBearer(claims) ?? rules.whyUnfit?.(claims);
  if (unfit !== undefined) throw refused(unfit);
  if (typeof claims.sub !== "string" || claims.sub === "") throw refused("it has no subject (sub)");
  return { subject: claims.sub, claims, validUntil: (claims.exp ?? 0) * 1000 + CLOCK_LEEWAY_MS };
}

/** Returns the error for a token that is refused. */
export const refused = (why: string, cause?: unknown): LatticeError =>
  new LatticeError(fault("UNAUTHENTICATED", `the token is refused: ${why}`), { cause });

/** Tokens that a provider signs, too, and that do not let in whoever holds them. */
function whyNoBearer({ events, cnf }: JWTPayload): string | undefined {
  if (events !== undefined) return "it tells of an event (events) and proves nothing here";
  // RFC 9449, section 7.1: a thief must not be able to use a bound token as a bearer token.
  return cnf === undefined ? undefined : "it is bound to a key (cnf), which is not checked here";
}

async function signedClaims(
  token: string,
  key: JWTVerifyGetKey,
  { now, rules }: { readonly now: number; readonly rules: TokenRules },
): Promise<JWTPayload> {
  const options: JWTVerifyOptions = {
    algorithms: [...rules.algorithms],
    requiredClaims: ["sub", "exp"],
    clockTolerance: CLOCK_LEEWAY_MS / 1000,
    currentDate: new Date(now),
    ...(rules.issuer !== undefined && { issuer: rules.issuer }),
  };
  const { payload, protectedHeader } = await jwtVerify(token, key, options).catch((error: unknown) => {
    throw refusalOf(error, rules);
  });
  if (!KINDS.includes(protectedHeader.typ)) throw refused(`a token of type ${protectedHeader.typ} proves nothing here`);
  return payload;
}

function refusalOf(error: unknown, rules: TokenRules): LatticeError {
  if (error instanceof LatticeError) return error;
  if (error instanceof errors.JWTExpired) {
    return new LatticeError(fault("TOKEN_EXPIRED", "the token has expired"), { cause: error });
  }
  return refused(whyInvalid(error, rules), error);
}

function whyInvalid(error: unknown, { algorithms, issuer }: TokenRules): string {
  if (error instanceof errors.JWSSignatureVerificationFailed) return "its signature does not match";
  if (error instanceof errors.JOSEAlgNotAllowed) return `its algorithm is not ${algorithms.join(" or ")}`;
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.reason === "missing") return `it has no claim ${error.claim}`;
    return error.claim === "iss" ? `it was not issued by ${issuer}` : `its claim ${error.claim} does not hold`;
  }
  return "it is not a well-formed JSON web token";
}
