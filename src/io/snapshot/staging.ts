/**
 * Where a snapshot that arrives is put, and how a start finishes one that an earlier run
 * had begun to put in place. The order is: the file is whole and durable, then the log
 * begins after it (log store), then the state is replaced by it, then the file goes. So a
 * log that begins after what the state holds either has the file beside it, or has lost
 * its state.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { LogIndex } from "../../base/brand.ts";
import type { SnapshotMeta } from "../../core/raft/raft-types.ts";
import { putDraftInPlace } from "../sqlite/database-file.ts";
import { readLogBase } from "../sqlite/log-inspection.ts";
import { readMirrorApplied } from "../sqlite/mirror-file.ts";
import { corruptFile } from "../sqlite/sqlite-error.ts";
import { buildStateDraft } from "./build-state.ts";

const PREFIX = "snapshot-incoming-";

/** Returns where in `dir` a snapshot of everything up to `index` is put when it has arrived. */
export const stagedSnapshotPath = (dir: string, { index }: Pick<SnapshotMeta, "index">): string =>
  join(dir, `${PREFIX}${index}`);

/**
 * Finishes the replacement that a crash interrupted, and removes every other snapshot that
 * had arrived; returns the end of the log that the state then reflects, or undefined when
 * there was nothing to finish. To be called before log and state are opened.
 * @throws LatticeError CORRUPT_LOG when the state is lost, INTERNAL.
 */
export function finishStagedSnapshot(dir: string): SnapshotMeta | undefined {
  const log = join(dir, "log.db");
  if (!existsSync(log)) return undefined;
  const { identity, compactedIndex } = readLogBase(log);
  const state = join(dir, "state.db");
  const path = stagedSnapshotPath(dir, { index: compactedIndex });
  let finished: SnapshotMeta | undefined;
  if (isBehind(state, compactedIndex, existsSync(path))) {
    if (!existsSync(path)) throw lostState(state, compactedIndex);
    finished = buildStateDraft(state, { path, clusterId: identity.clusterId, index: compactedIndex }).applied;
    putDraftInPlace(state);
  }
  for (const name of readdirSync(dir)) if (name.startsWith(PREFIX)) rmSync(join(dir, name), { force: true });
  return finished;
}

/** A state that cannot be read is replaced where there is something to replace it by. */
function isBehind(path: string, index: LogIndex, isReplaceable: boolean): boolean {
  if (!existsSync(path)) return index > 0;
  try {
    return readMirrorApplied(path).index < index;
  } catch (error) {
    if (isReplaceable) return true;
    throw error;
  }
}

const lostState = (path: string, index: LogIndex) =>
  corruptFile(
    path,
    `the log begins after entry ${index}, which this state does not hold, and no snapshot of it is here`,
  );
