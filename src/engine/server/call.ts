/** What every operation knows of the call that reached it, whatever the protocol. */
import type { Principal } from "../../core/domain/principal.ts";

export interface Call {
  readonly principal: Principal;
  /** Names the request in logs and errors. */
  readonly requestId: string;
  /** The caller's key for safe retries, if any. */
  readonly idempotencyKey?: string;
  /** The caller takes what this server has, although others may know more. */
  readonly isStale?: boolean;
  /** Aborts when the caller has gone. */
  readonly signal: AbortSignal;
}
