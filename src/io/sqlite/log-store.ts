/**
 * The log of a raft member in one SQLite file, `log.db`. One persist is one transaction
 * with a synchronous WAL. The open file is locked for as long as the store lives, so it
 * also keeps a second server away from the data directory. Why each pragma: DESIGN.md.
 *
 * Invariant INV-D1: an entry for which persist has returned is read back after any crash,
 * or the log is refused; a log that is refused is left byte for byte as it was found.
 */
import { Database, type Statement } from "bun:sqlite";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { assert, InvariantError } from "../../base/assert.ts";
import type { LogIndex } from "../../base/brand.ts";
import { logIndex } from "../../base/brand.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { LogShape } from "../../core/raft/log.ts";
import { compactLog, EMPTY_LOG, extendLog, lastTerm, truncateLog } from "../../core/raft/log.ts";
import type { Entry, MemberId } from "../../core/raft/raft-types.ts";
import { decodeEntry, encodeEntry, encodeIdentity, encodeState } from "../../core/raft/record.ts";
import type { StoredRecord } from "../../core/raft/recovery.ts";
import type { LogChange, LogStore, StoredLog } from "../../ports/log-store.ts";
import { prepareDataDir } from "./data-dir.ts";
import { createDatabaseFile } from "./database-file.ts";
import { inspectLog, LOG_FORMAT, readState } from "./log-inspection.ts";
import { corruptFile, sqliteError } from "./sqlite-error.ts";

const FIRST_STATE: StoredLog = {
  hardState: { term: lastTerm(EMPTY_LOG), votedFor: undefined, commit: EMPTY_LOG.lastIndex },
  shape: EMPTY_LOG,
};

/** Returns whether `dir` holds a log. */
export const hasLog = (dir: string): boolean => existsSync(pathOf(dir));

/** Makes the empty log of a new member and opens it. Throws LatticeError ALREADY_EXISTS when there is one. */
export const createLogStore = (dir: string, memberId: MemberId, clusterId: string): LogStore =>
  createLogStoreAt(dir, { memberId, clusterId }, FIRST_STATE);

/** The same for a member whose state holds everything up to an index already: `log` says it is all compacted. */
export function createLogStoreAt(
  dir: string,
  { memberId, clusterId }: { readonly memberId: MemberId; readonly clusterId: string },
  log: StoredLog,
): LogStore {
  prepareDataDir(dir);
  const path = pathOf(dir);
  if (hasLog(dir)) throw new LatticeError(fault("ALREADY_EXISTS", `${path} exists`, "start without --bootstrap"));
  createDatabaseFile(path, LOG_FORMAT, (db) => {
    db.run("CREATE TABLE meta (name TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID");
    db.run("CREATE TABLE entries (idx INTEGER PRIMARY KEY, record BLOB NOT NULL)");
    const insert = db.query("INSERT INTO meta VALUES (?, ?)");
    insert.run("identity", encodeIdentity({ clusterId, memberId }));
    insert.run("state", encodeState(stateOf(log)));
  });
  return openLogStore(dir, memberId);
}

/** Opens the log of member `memberId`. Throws LatticeError CORRUPT_LOG or INTERNAL with the reason. */
export function openLogStore(dir: string, memberId: MemberId): LogStore {
  const path = pathOf(dir);
  if (!hasLog(dir)) {
    throw new LatticeError(
      fault(
        "INTERNAL",
        `there is no log in ${dir}`,
        "start a new cluster with --bootstrap, or correct quorum.data_dir",
      ),
    );
  }
  prepareDataDir(dir);
  const found = inspectLog(path, memberId);
  const db = lockLog(path);
  try {
    // Between the look and the lock another server may have come and gone.
    const state = readState(path, db);
    const isSame = Bun.deepEquals(encodeState(state), encodeState(stateOf(found.stored)));
    if (!isSame) throw new LatticeError(fault("INTERNAL", `${path} changed while it was opened`, "start again"));
    return new SqliteLogStore(path, db, found);
  } catch (error) {
    db.close();
    throw sqliteError(path, error);
  }
}

const pathOf = (dir: string): string => join(dir, "log.db");

const stateOf = ({ hardState, shape }: StoredLog) => ({ hardState, ...shape });

function lockLog(path: string): Database {
  try {
    const db = new Database(path, { create: false, readwrite: true });
    db.run("PRAGMA locking_mode = EXCLUSIVE");
    db.run("PRAGMA synchronous = FULL");
    return db;
  } catch (error) {
    throw sqliteError(path, error);
  }
}

class SqliteLogStore implements LogStore {
  readonly clusterId: string;
  #stored: StoredLog;
  /** Set by the first failed write: what the file holds is then unknown until it is opened again. */
  #failure: LatticeError | undefined;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #insert: Statement;
  readonly #truncate: Statement;
  readonly #forget: Statement;
  readonly #setState: Statement;
  readonly #select: Statement<StoredRecord, [number, number]>;

  constructor(
    readonly path: string,
    readonly db: Database,
    found: { readonly clusterId: string; readonly stored: StoredLog },
  ) {
    this.clusterId = found.clusterId;
    this.#stored = found.stored;
    this.#begin = db.prepare("BEGIN IMMEDIATE");
    this.#commit = db.prepare("COMMIT");
    this.#insert = db.prepare("INSERT INTO entries (idx, record) VALUES (?, ?)");
    this.#truncate = db.prepare("DELETE FROM entries WHERE idx >= ?");
    this.#forget = db.prepare("DELETE FROM entries WHERE idx <= ?");
    this.#setState = db.prepare("UPDATE meta SET record = ? WHERE name = 'state'");
    this.#select = db.prepare('SELECT idx AS "index", record FROM entries WHERE idx >= ? ORDER BY idx LIMIT ?');
  }

  load(): StoredLog {
    return this.#stored;
  }

  read(from: LogIndex, countMax: number): readonly Entry[] {
    const { shape } = this.#stored;
    assert(from > shape.compactedIndex, `entry ${from} is compacted, so it cannot be read`);
    const count = Math.max(0, Math.min(countMax, shape.lastIndex - from + 1));
    const rows = this.#attempt(() => this.#select.all(from, count));
    return Array.from({ length: count }, (_, i) => this.#decode(rows[i], logIndex(from + i)));
  }

  persist({ hardState, truncateFrom, entries }: LogChange): void {
    this.#write(() => {
      const kept = truncateFrom === undefined ? this.#stored.shape : this.#dropFrom(truncateFrom);
      return { hardState: hardState ?? this.#stored.hardState, shape: this.#append(kept, entries) };
    });
  }

  compact(index: LogIndex): void {
    this.#write(() => {
      const shape = compactLog(this.#stored.shape, index);
      this.#forget.run(index);
      return { hardState: this.#stored.hardState, shape };
    });
  }

  close(): void {
    const { db } = this;
    for (const statement of [this.#begin, this.#commit, this.#insert, this.#truncate, this.#forget, this.#setState]) {
      statement.finalize();
    }
    this.#select.finalize();
    db.close();
  }

  #dropFrom(index: LogIndex): LogShape {
    const shape = truncateLog(this.#stored.shape, index);
    this.#truncate.run(index);
    return shape;
  }

  #append(kept: LogShape, entries: readonly Entry[]): LogShape {
    let shape = kept;
    for (const entry of entries) {
      assert(entry.index === shape.lastIndex + 1, `entry ${entry.index} cannot follow entry ${shape.lastIndex}`);
      this.#insert.run(entry.index, encodeEntry(entry));
      shape = extendLog(shape, entry.term, 1);
    }
    return shape;
  }

  /** Runs `change` and writes the state that it returns, all in one transaction. */
  #write(change: () => StoredLog): void {
    if (this.#failure) throw this.#failure;
    try {
      this.#begin.run();
      const next = change();
      this.#setState.run(encodeState(stateOf(next)));
      this.#commit.run();
      this.#stored = next;
    } catch (error) {
      this.#rollback();
      if (error instanceof InvariantError) throw error;
      this.#failure = sqliteError(this.path, error);
      throw this.#failure;
    }
  }

  #rollback(): void {
    try {
      if (this.db.inTransaction) this.db.run("ROLLBACK");
    } catch {
      // The first error says what is wrong; opening the file again undoes the transaction.
    }
  }

  #decode(row: StoredRecord | undefined, index: LogIndex): Entry {
    if (row?.index !== index) throw corruptFile(this.path, `entry ${index} is missing`);
    const entry = decodeEntry(row.record, index);
    if (!entry.ok) throw corruptFile(this.path, entry.error);
    return entry.value;
  }

  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw sqliteError(this.path, error);
    }
  }
}
