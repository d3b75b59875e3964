/**
 * The look at a log before it is opened: every record is read and judged through a
 * read-only connection, which, unlike a writing one, changes neither the file nor its
 * WAL when it is closed. So a log that is refused stays as it was found.
 */
import { Database } from "bun:sqlite";
import type { LogIndex } from "../../base/brand.ts";
import type { Result } from "../../base/result.ts";
import type { MemberId } from "../../core/raft/raft-types.ts";
import type { LogIdentity } from "../../core/raft/record.ts";
import { decodeIdentity, decodeState, decodeStores } from "../../core/raft/record.ts";
import type { RecoveredLog, StoredRecord } from "../../core/raft/recovery.ts";
import { recoverLog } from "../../core/raft/recovery.ts";
import type { FileFormat } from "./database-file.ts";
import { checkFormat } from "./database-file.ts";
import { corruptFile, sqliteError } from "./sqlite-error.ts";
import { findWalDamage } from "./wal-damage.ts";

/** "LatL" marks the file; records carry a version of their own. */
export const LOG_FORMAT: FileFormat = { noun: "log", applicationId: 0x4c61744c, version: 2 };

/** What a log holds beside its entries, each as a record of its own. */
export type MetaName = "identity" | "state" | "stores";

/** A log that may be used. */
export interface InspectedLog {
  readonly identity: LogIdentity;
  readonly knownStores: ReadonlyMap<MemberId, string>;
  readonly log: RecoveredLog;
  /** The state record as it lies in the file. */
  readonly stateRecord: Uint8Array;
}

/** Reads the whole log at `path`. Throws LatticeError CORRUPT_LOG, with the reason, when it cannot be trusted. */
export function inspectLog(path: string, memberId: MemberId): InspectedLog {
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
    const knownStores = trust(path, decodeStores(readMeta(path, db, "stores")));
    const stateRecord = readMeta(path, db, "state");
    const state = trust(path, decodeState(stateRecord));
    // Compacted entries may still be there: they are removed little by little.
    using records = db.prepare<StoredRecord, [number]>(
      'SELECT idx AS "index", record FROM entries WHERE idx > ? ORDER BY idx',
    );
    const log = trust(path, recoverLog(memberId, state, records.iterate(state.compactedIndex)));
    return { identity, knownStores, log, stateRecord };
  } catch (error) {
    throw sqliteError(path, error);
  }
}

/**
 * Returns whose log lies at `path` and after which index it begins, without a look at its
 * entries. Throws LatticeError CORRUPT_LOG, or INTERNAL when a server runs on it.
 */
export function readLogBase(path: string): { readonly identity: LogIdentity; readonly compactedIndex: LogIndex } {
  try {
    using db = new Database(path, { readonly: true });
    checkFormat(path, db, LOG_FORMAT);
    const identity = trust(path, decodeIdentity(readMeta(path, db, "identity")));
    const { compactedIndex } = trust(path, decodeState(readMeta(path, db, "state")));
    return { identity, compactedIndex };
  } catch (error) {
    throw sqliteError(path, error);
  }
}

/** Reads one record beside the entries. */
export function readMeta(path: string, db: Database, name: MetaName): Uint8Array {
  const row = db.query<{ record: Uint8Array }, [string]>("SELECT record FROM meta WHERE name = ?").get(name);
  if (!row) throw corruptFile(path, `the ${name} record is missing`);
  return row.record;
}

/** Finds damage to SQLite's own pages, which the checksums of records do not cover. */
function checkPages(path: string, db: Database): void {
  const { quick_check } = db.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").get() ?? {};
  if (quick_check !== "ok") throw corruptFile(path, `this log is damaged: ${quick_check}`);
}

function trust<T>(path: string, result: Result<T, string>): T {
  if (!result.ok) throw corruptFile(path, result.error);
  return result.value;
}
