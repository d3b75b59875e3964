/**
 * The log of a raft member in one SQLite file, `log.db`. One persist is one transaction
 * with a synchronous WAL. The open file is locked for as long as the store lives, so it
 * also keeps a second server away from the data directory. Why each pragma: DESIGN.md.
 *
 * Invariant INV-D1: an entry for which persist has returned is read back after any crash,
 * or the log says up to where it must be filled again, or it is refused; a log that is
 * refused is left byte for byte as it was found.
 */
import { Database, type Statement } from "bun:sqlite";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { assert, InvariantError } from "../../base/assert.ts";
import type { LogIndex, Term } from "../../base/brand.ts";
import { logIndex, term } from "../../base/brand.ts";
import { compareNumber } from "../../base/compare.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import { EMPTY_LOG } from "../../core/raft/log.ts";
import { encodeMembership, UNJOINED } from "../../core/raft/membership.ts";
import type { Entry, HardState, MemberId, Membership, SnapshotMeta } from "../../core/raft/raft-types.ts";
import type { LogState } from "../../core/raft/record.ts";
import { decodeEntry, encodeEntry, encodeIdentity, encodeState, encodeStores } from "../../core/raft/record.ts";
import type { StoredRecord } from "../../core/raft/recovery.ts";
import { afterAppend, afterCompaction, afterInstall, afterTruncation } from "../../core/raft/stored-log.ts";
import type { LogChange, LogStore, StoredLog } from "../../ports/log-store.ts";
import type { PeerAddress, PeerIdentity } from "../../ports/peer-link.ts";
import { prepareDataDir } from "./data-dir.ts";
import { createDatabaseFile } from "./database-file.ts";
import type { InspectedLog, MetaName } from "./log-inspection.ts";
import { inspectLog, LOG_FORMAT, readMeta } from "./log-inspection.ts";
import { corruptFile, sqliteError } from "./sqlite-error.ts";

/** Whose log is made. */
export interface NewLog {
  readonly memberId: MemberId;
  readonly clusterId: string;
  /** Every configured member, this one too; all of them vote. */
  readonly members: readonly PeerAddress[];
}

/** The term of a new cluster's first entry: nobody can have voted in it. */
const FIRST_TERM = term(1);
const NOTHING_STORED: LogState = {
  ...EMPTY_LOG,
  hardState: { term: term(0), votedFor: undefined, commit: EMPTY_LOG.lastIndex },
  membership: UNJOINED,
};

/** Compacted entries that a write removes, unless it brings more than half as many. */
const SWEPT_LEAST = 64;

/** Returns whether `dir` holds a log. */
export const hasLog = (dir: string): boolean => existsSync(pathOf(dir));

/**
 * Makes and opens the log of a new cluster, which begins with the membership.
 * @throws LatticeError ALREADY_EXISTS when there is a log.
 */
export function createLogStore(dir: string, log: NewLog): LogStore {
  const { identity, membership } = begin(log);
  const first = {
    index: logIndex(1),
    term: FIRST_TERM,
    kind: "membership",
    data: encodeMembership(membership),
  } as const;
  const hardState = { ...NOTHING_STORED.hardState, term: FIRST_TERM };
  return create(dir, identity, { state: { ...NOTHING_STORED, hardState, lastIndex: first.index }, entries: [first] });
}

/** The same for a cluster whose state holds everything up to an index of an older log. */
export function createLogStoreAt(
  dir: string,
  log: NewLog,
  at: { readonly index: LogIndex; readonly term: Term },
): LogStore {
  const { identity, membership } = begin(log);
  const state: LogState = {
    hardState: { term: at.term, votedFor: undefined, commit: at.index },
    compactedIndex: at.index,
    compactedTerm: at.term,
    lastIndex: at.index,
    membership: { index: at.index, membership },
  };
  return create(dir, identity, { state, entries: [] });
}

/** Makes and opens the log of a member that waits to join a cluster. @throws LatticeError ALREADY_EXISTS. */
export const createWaitingStore = (dir: string, memberId: MemberId): LogStore =>
  create(dir, { clusterId: "", memberId, storeId: crypto.randomUUID() }, { state: NOTHING_STORED, entries: [] });

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
    const isSame = Bun.deepEquals(readMeta(path, db, "state"), found.stateRecord);
    if (!isSame) throw new LatticeError(fault("INTERNAL", `${path} changed while it was opened`, "start again"));
    return new SqliteLogStore(path, db, found);
  } catch (error) {
    db.close();
    throw sqliteError(path, error);
  }
}

const pathOf = (dir: string): string => join(dir, "log.db");

/** Names a new store and puts it into the membership; the stores of the others are not known yet. */
function begin({ memberId, clusterId, members }: NewLog): {
  readonly identity: PeerIdentity;
  readonly membership: Membership;
} {
  assert(
    members.some(({ id }) => id === memberId),
    `member ${memberId} is among the members`,
  );
  const storeId = crypto.randomUUID();
  const voters = members
    .map(({ id, address }) => ({ id, address, storeId: id === memberId ? storeId : "", isVoter: true }))
    .toSorted((a, b) => compareNumber(a.id, b.id));
  return { identity: { clusterId, memberId, storeId }, membership: { members: voters, departed: [] } };
}

function create(
  dir: string,
  identity: PeerIdentity,
  { state, entries }: { readonly state: LogState; readonly entries: readonly Entry[] },
): LogStore {
  prepareDataDir(dir);
  const path = pathOf(dir);
  if (hasLog(dir)) throw new LatticeError(fault("ALREADY_EXISTS", `${path} exists`, "start without --bootstrap"));
  createDatabaseFile(path, LOG_FORMAT, (db) => {
    db.run("CREATE TABLE meta (name TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID");
    db.run("CREATE TABLE entries (idx INTEGER PRIMARY KEY, record BLOB NOT NULL)");
    const insert = db.query("INSERT INTO meta VALUES (?, ?)");
    insert.run("identity", encodeIdentity(identity));
    insert.run("stores", encodeStores(new Map()));
    insert.run("state", encodeState(state));
    for (const entry of entries) {
      db.query("INSERT INTO entries (idx, record) VALUES (?, ?)").run(entry.index, encodeEntry(entry));
    }
  });
  return openLogStore(dir, identity.memberId);
}

/** Returns what the state record says of a log. */
function stateOf({ hardState, shape, memberships }: StoredLog): LogState {
  const { compactedIndex, compactedTerm, lastIndex } = shape;
  return { hardState, compactedIndex, compactedTerm, lastIndex, membership: memberships[0] ?? UNJOINED };
}

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
  readonly damage?: string;
  #identity: PeerIdentity;
  #knownStores: ReadonlyMap<MemberId, string>;
  #stored: StoredLog;
  /** Set by the first failed write: what the file holds is then unknown until it is opened again. */
  #failure: LatticeError | undefined;
  /** Entries up to here are gone from the file; the compacted ones after it go little by little. */
  #sweptIndex: number;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #insert: Statement;
  readonly #truncate: Statement;
  readonly #forget: Statement;
  readonly #setMeta: Statement;
  readonly #select: Statement<StoredRecord, [number, number]>;

  constructor(
    readonly path: string,
    readonly db: Database,
    { identity, knownStores, log: { damage, ...stored } }: InspectedLog,
  ) {
    this.#identity = identity;
    this.#knownStores = knownStores;
    this.#stored = stored;
    this.#begin = db.prepare("BEGIN IMMEDIATE");
    this.#commit = db.prepare("COMMIT");
    this.#insert = db.prepare("INSERT INTO entries (idx, record) VALUES (?, ?)");
    this.#truncate = db.prepare("DELETE FROM entries WHERE idx >= ?");
    this.#forget = db.prepare("DELETE FROM entries WHERE idx <= ?");
    this.#setMeta = db.prepare("UPDATE meta SET record = ? WHERE name = ?");
    this.#select = db.prepare('SELECT idx AS "index", record FROM entries WHERE idx >= ? ORDER BY idx LIMIT ?');
    const { first } = db.query<{ first: number | null }, []>("SELECT min(idx) AS first FROM entries").get() ?? {};
    this.#sweptIndex = (first ?? stored.shape.lastIndex + 1) - 1;
    if (!damage) return;
    this.damage = `${path}: ${damage.defect}; the log was cut before entry ${damage.from}`;
    this.#write(() => {
      this.#truncate.run(damage.from);
      return stored;
    });
  }

  get identity(): PeerIdentity {
    return this.#identity;
  }

  get knownStores(): ReadonlyMap<MemberId, string> {
    return this.#knownStores;
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
      const kept = truncateFrom === undefined ? this.#stored : this.#dropFrom(truncateFrom);
      const next = afterAppend(kept, entries);
      for (const entry of entries) this.#insert.run(entry.index, encodeEntry(entry));
      this.#sweep(next.shape.compactedIndex, Math.max(SWEPT_LEAST, 2 * entries.length));
      return { ...next, hardState: hardState ?? next.hardState };
    });
  }

  installSnapshot(hardState: HardState, snapshot: SnapshotMeta): void {
    this.#write(() => {
      this.#truncate.run(snapshot.index + 1);
      return afterInstall(hardState, snapshot);
    });
  }

  compact(index: LogIndex): void {
    this.#write(() => afterCompaction(this.#stored, index));
  }

  adopt(clusterId: string): void {
    if (this.#identity.clusterId === clusterId) return;
    assert(this.#identity.clusterId === "", `this store belongs to cluster ${this.#identity.clusterId} already`);
    const identity = { ...this.#identity, clusterId };
    this.#writeMeta("identity", encodeIdentity(identity));
    this.#identity = identity;
  }

  rememberStore(id: MemberId, storeId: string): void {
    if (this.#knownStores.get(id) === storeId) return;
    const stores = new Map(this.#knownStores).set(id, storeId);
    this.#writeMeta("stores", encodeStores(stores));
    this.#knownStores = stores;
  }

  close(): void {
    const { db } = this;
    for (const statement of [this.#begin, this.#commit, this.#insert, this.#truncate, this.#forget, this.#setMeta]) {
      statement.finalize();
    }
    this.#select.finalize();
    db.close();
  }

  #dropFrom(index: LogIndex): StoredLog {
    this.#truncate.run(index);
    return afterTruncation(this.#stored, index);
  }

  /** Removes at most `count` compacted entries: all at once would hold up the member's heartbeats. */
  #sweep(compactedIndex: LogIndex, count: number): void {
    if (this.#sweptIndex >= compactedIndex) return;
    const upTo = Math.min(compactedIndex, this.#sweptIndex + count);
    this.#forget.run(upTo);
    this.#sweptIndex = upTo;
  }

  #writeMeta(name: MetaName, record: Uint8Array): void {
    this.#write(() => {
      this.#setMeta.run(record, name);
      return this.#stored;
    });
  }

  /** Runs `change` and writes the state that it returns, all in one transaction. */
  #write(change: () => StoredLog): void {
    if (this.#failure) throw this.#failure;
    try {
      this.#begin.run();
      const next = change();
      this.#setMeta.run(encodeState(stateOf(next)), "state");
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
