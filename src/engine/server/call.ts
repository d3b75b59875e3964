/** What every operation knows of the call that reached it, whatever the protocol, and what it may rely on. */
import type { CertificateIdentity } from "../../core/access/certificate.ts";
import type { Operation } from "../../core/access/operations.ts";
import type { Principal } from "../../core/domain/principal.ts";
import type { Replica } from "./replica.ts";

export interface Call {
  readonly principal: Principal;
  /** Names the request in logs and errors. */
  readonly requestId: string;
  /** The caller's key for safe retries, if any. */
  readonly idempotencyKey?: string;
  /** The caller takes what this server has, although others may know more. */
  readonly isStale?: boolean;
  /** When the caller's credential ends, in milliseconds since the epoch; streams end with it. */
  readonly credentialEndsAt?: number;
  /** The client certificate of the connection, verified; whatever the principal was made of. */
  readonly certificate?: CertificateIdentity;
  /** Network address of the caller, where the listener knows it. */
  readonly from?: string;
  /** Aborts when the caller has gone. */
  readonly signal: AbortSignal;
}

/** These must work without a quorum, read nothing, or wait by themselves where they read. */
const WITHOUT_BARRIER: readonly Operation[] = [
  "self.read",
  "raft.read",
  "raft.change",
  "backup.manage",
  "backup.restore",
  "agent.connect",
  "allocation.submit",
];

/**
 * Lets a call begin: every face calls it once, before the operation. What the operation
 * then reads holds everything that was acknowledged, by any server, before the call came
 * (INV-O2), unless the caller takes stale data.
 * @throws LatticeError NO_QUORUM after a few seconds without a leader.
 */
export async function beginCall(replica: Replica, call: Call, operation: Operation): Promise<void> {
  if (call.isStale || WITHOUT_BARRIER.includes(operation)) return;
  await replica.readBarrier();
}
