/** How a bearer token becomes verified claims. `io/oidc` has the implementations. */
import type { Claims } from "../core/access/derive-role.ts";

/** What a token proves, and until when. */
export interface VerifiedToken {
  readonly subject: string;
  readonly claims: Claims;
  /** Milliseconds since the epoch: its expiry, and how far clocks may differ. */
  readonly validUntil: number;
}

export interface TokenVerifier {
  /** @throws UNAUTHENTICATED or TOKEN_EXPIRED, saying why. */
  verify(token: string, now: number): Promise<VerifiedToken>;
}
