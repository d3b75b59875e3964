/**
 * Builds the state file that a snapshot describes, beside the one in use. Everything is
 * checked before the file may take its place. Slow for a long history: it runs in a
 * Worker, or before a server starts.
 */
import type { Database } from "bun:sqlite";
import type { LogIndex } from "../../base/brand.ts";
import { addHash, EMPTY_HASH, hashHex } from "../../base/hash.ts";
import type { Row } from "../../core/state/table.ts";
import { buildDraft, discardDraft } from "../sqlite/database-file.ts";
import { hashRow, insertMirrorMeta, MIRROR_FORMAT } from "../sqlite/mirror-file.ts";
import { corruptFile } from "../sqlite/sqlite-error.ts";
import { MIRROR_INDEXES, MIRROR_TABLES, MIRROR_WRITES } from "../sqlite/state-mirror-sql.ts";
import { openSnapshotFile } from "./snapshot-file.ts";
import type { SnapshotHeader } from "./snapshot-frames.ts";

/** A snapshot, and what it must be of. */
export interface ExpectedSnapshot {
  readonly path: string;
  /** Empty: of any. So may be the snapshot's, of a sender that joined just before: then it is of this one. */
  readonly clusterId: string;
  readonly index: LogIndex;
}

/**
 * Builds the draft of the state file at `statePath` and returns what the snapshot says of
 * itself. Leaves no draft when it fails. Throws LatticeError CORRUPT_LOG, INTERNAL.
 */
export function buildStateDraft(statePath: string, expected: ExpectedSnapshot): SnapshotHeader {
  const snapshot = openSnapshotFile(expected.path);
  try {
    checkHeader(snapshot.header, expected);
    const { applied } = snapshot.header;
    const clusterId = snapshot.header.clusterId || expected.clusterId;
    buildDraft(statePath, MIRROR_FORMAT, (db) => {
      for (const statement of MIRROR_TABLES) db.run(statement);
      const liveHash = insertRows(db, snapshot.rows());
      for (const statement of MIRROR_INDEXES) db.run(statement);
      insertMirrorMeta(db, { clusterId, applied, liveHash });
    });
    return { ...snapshot.header, clusterId };
  } catch (error) {
    discardDraft(statePath);
    throw error;
  } finally {
    snapshot.close();
  }
}

function checkHeader({ clusterId, applied }: SnapshotHeader, expected: ExpectedSnapshot): void {
  if (expected.clusterId !== "" && clusterId !== "" && clusterId !== expected.clusterId) {
    throw corruptFile(expected.path, `this snapshot is of cluster ${clusterId}, not of cluster ${expected.clusterId}`);
  }
  if (applied.index !== expected.index) {
    throw corruptFile(expected.path, `this snapshot ends at entry ${applied.index}, not at entry ${expected.index}`);
  }
}

/** Puts rows into empty tables and returns the hash of the live ones. */
function insertRows(db: Database, rows: Iterable<Row>): string {
  using putLive = db.prepare(MIRROR_WRITES.putLive);
  using putArchived = db.prepare(MIRROR_WRITES.putArchived);
  using putHistory = db.prepare(MIRROR_WRITES.putHistory);
  let live = EMPTY_HASH;
  for (const { table, id, text = "", isLive } of rows) {
    const hash = hashRow(table, id, text);
    if (isLive) live = addHash(live, hash);
    (isLive ? putLive : putArchived).run(table, id, text, hashHex(hash));
    if (!isLive && table === "allocations") putHistory.run(id, text);
  }
  return hashHex(live);
}
