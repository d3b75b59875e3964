/**
 * How the state's owner reaches its writer: in the same thread, for tests and tools, or in
 * a Worker. Requests are carried out one after another, in the order in which they came.
 */
import type { SnapshotMeta } from "../../core/raft/raft-types.ts";
import type { Row } from "../../core/state/table.ts";
import type { ReceivedSnapshot } from "../../ports/peer-link.ts";
import type { MirrorWriter } from "./mirror-writer.ts";

/** A MirrorWriter somewhere. Promises reject with its LatticeError. */
export interface MirrorLink {
  /** The state is of this cluster from the next write on. */
  adopt(clusterId: string): void;
  stage(rows: readonly Row[]): void;
  write(rows: readonly Row[], applied: SnapshotMeta): Promise<void>;
  sync(): Promise<void>;
  replace(snapshot: ReceivedSnapshot): Promise<SnapshotMeta>;
  close(): Promise<void>;
}

/** Returns a link to a writer in this thread: whatever is asked for is done when the call returns. */
export const directLink = (writer: MirrorWriter): MirrorLink => ({
  adopt: (clusterId) => writer.adopt(clusterId),
  stage: (rows) => writer.stage(rows),
  write: async (rows, applied) => writer.write(rows, applied),
  sync: async () => writer.sync(),
  replace: async (snapshot) => writer.replace(snapshot),
  close: async () => writer.close(),
});
