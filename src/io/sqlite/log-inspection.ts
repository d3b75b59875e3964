/**
 * The look at a log before it is opened: every record is read and judged through a
 * read-only connection, which, unlike a writing one, changes neither the file nor its
 * WAL when it is closed. So a log that is refused stays as it was found.
 */
import { Database } from "bun:sqlite";
import type { Result } from "../../base/result.ts";
import type { MemberId } from "../../core/raft/raft-types.ts";
import type { LogState } from "../../core/raft/record.ts";
import { decodeIdentity, decodeState } from "../../core/raft/record.ts";
import type { StoredRecord } from "../../core/raft/recovery.ts";
import { recoverLog } from "../../core/raft/recovery.ts";
import type { StoredLog } from "../../ports/log-store.ts";
import type { FileFormat } from "./database-file.ts";
import { checkFormat } from "./database-file.ts";
import { corruptFile, sqliteError } from "./sqlite-error.ts";
import { findWalDamage } from "./wal-damage.ts";

/** "LatL" marks the file; records carry a version of their own. */
export const LOG_FORMAT: FileFormat = { noun: "log", applicationId: 0x4c61744c, version: 1 };

/** Reads the whole log at `path`. Throws LatticeError CORRUPT_LOG, with the reason, when it cannot be trusted. */
export function inspectLog(
  path: string,
  memberId: MemberId,
): { readonly clusterId: string; readonly stored: StoredLog } {
  const walDamage = findWalDamage(`${path}-wal`);
  if (walDamage) throw corruptFile(`${path}-wal`, walDamage);
  try {
    using db = new Database(path, { readonly: true });
    checkFormat(path, db, LOG_FORMAT);
    checkPages(path, db);
    const identity = trust(path, decodeIdentity(readMeta(path, db, "identity")));
    if (identity.memberId !== memberId) {
      const owner = `this log belongs to member ${identity.memberId} of cluster ${identity.clusterId}, not to member ${memberId}`;
      throw corruptFile(path, owner, "correct quorum.node_id or quorum.data_dir");
    }
    const state = readState(path, db);
    using records = db.prepare<StoredRecord, []>('SELECT idx AS "index", record FROM entries ORDER BY idx');
    const shape = trust(path, recoverLog(state, records.iterate()));
    return { clusterId: identity.clusterId, stored: { hardState: state.hardState, shape } };
  } catch (error) {
    throw sqliteError(path, error);
  }
}

/** Reads the state record. */
export const readState = (path: string, db: Database): LogState =>
  trust(path, decodeState(readMeta(path, db, "state")));

/** Finds damage to SQLite's own pages, which the checksums of records do not cover. */
function checkPages(path: string, db: Database): void {
  const { quick_check } = db.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").get() ?? {};
  if (quick_check !== "ok") throw corruptFile(path, `this log is damaged: ${quick_check}`);
}

function readMeta(path: string, db: Database, name: "identity" | "state"): Uint8Array {
  const row = db.query<{ record: Uint8Array }, [string]>("SELECT record FROM meta WHERE name = ?").get(name);
  if (!row) throw corruptFile(path, `the ${name} record is missing`);
  return row.record;
}

function trust<T>(path: string, result: Result<T, string>): T {
  if (!result.ok) throw corruptFile(path, result.error);
  return result.value;
}
