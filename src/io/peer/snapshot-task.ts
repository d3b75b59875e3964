/** The work of a snapshot Worker: reads the state on disk as it is at this moment and brings it to a member. */
import type { LogIndex } from "../../base/brand.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import { snapshotChunks } from "../snapshot/snapshot-chunks.ts";
import { openMirrorCut } from "../sqlite/mirror-cut.ts";
import { systemClock } from "../system-clock.ts";
import { sendSnapshot } from "./snapshot-sender.ts";
import type { SnapshotQuestion } from "./snapshot-worker-messages.ts";

/** Sends the state and returns its index. @throws LatticeError what keeps it from arriving. */
export async function doSnapshotTask({ origin, order }: SnapshotQuestion): Promise<LogIndex> {
  const { dataDir, ...sender } = origin;
  const cut = openMirrorCut(dataDir);
  try {
    const { index } = cut.applied;
    if (index < order.atLeast) {
      const message = `the state on disk ends at entry ${index}, before the entry ${order.atLeast} that the log begins after`;
      throw new LatticeError(fault("INTERNAL", message));
    }
    await sendSnapshot(order, { meta: cut.applied, chunks: snapshotChunks(cut) }, { ...sender, clock: systemClock });
    return index;
  } finally {
    cut.close();
  }
}
