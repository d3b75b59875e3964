/**
 * The Snapshots port for the main thread: each order runs in a Worker of its own, which
 * reads the state on disk beside the server and ends with the order.
 */
import type { LogIndex } from "../../base/brand.ts";
import { logIndex } from "../../base/brand.ts";
import type { PeerIdentity, SnapshotOrder } from "../../ports/peer-link.ts";
import type { Snapshots } from "../../ports/snapshots.ts";
import { askWorker } from "../ask-worker.ts";
import type { PeerTls } from "./peer-network.ts";
import type { SnapshotOrigin, SnapshotQuestion } from "./snapshot-worker-messages.ts";

/** Whose snapshots, and where the Worker's entry is. */
export interface WorkerSnapshotsOptions extends Omit<SnapshotOrigin, "identity" | "tls"> {
  readonly workerUrl: string;
  /** What this server says of itself at the time of an order. */
  identity(): PeerIdentity;
  /** The certificates at the time of an order; undefined in the clear. */
  tls?(): PeerTls | undefined;
}

/** Returns the snapshots of one server. */
export function openWorkerSnapshots({ workerUrl, identity, tls, ...origin }: WorkerSnapshotsOptions): Snapshots {
  return {
    async send(order: SnapshotOrder): Promise<LogIndex> {
      const certificates = tls?.();
      const own = { ...origin, identity: identity(), ...(certificates && { tls: certificates }) };
      const question: SnapshotQuestion = { origin: own, order };
      return logIndex(Number(await askWorker(workerUrl, "snapshot", question)));
    },
  };
}
