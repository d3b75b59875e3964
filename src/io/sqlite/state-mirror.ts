/**
 * The state on disk in one SQLite file, `state.db`: the rows that memory holds (`live`)
 * and those that only the disk holds (`archived`), with the log index they reflect. The
 * file is consistent after a crash of the process or the machine, but may be behind the
 * log, except for what was written before the last sync: DESIGN.md.
 */
import { Database, type Statement } from "bun:sqlite";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { logIndex, term } from "../../base/brand.ts";
import { canonicalEncode } from "../../base/canonical-encode.ts";
import type { Hash64 } from "../../base/hash.ts";
import { addHash, EMPTY_HASH, hashHex, hashText, subtractHash } from "../../base/hash.ts";
import type { LatticeError } from "../../core/domain/errors.ts";
import { UNJOINED } from "../../core/raft/membership.ts";
import type { SnapshotMeta } from "../../core/raft/raft-types.ts";
import type { Row } from "../../core/state/table.ts";
import type { HistoryQuery, StateMirror } from "../../ports/state-mirror.ts";
import { prepareDataDir } from "./data-dir.ts";
import type { FileFormat } from "./database-file.ts";
import { checkFormat, createDatabaseFile } from "./database-file.ts";
import { corruptFile, sqliteError } from "./sqlite-error.ts";
import {
  FIND_BY_PREFIX,
  FIND_BY_SHORT_ID,
  FIND_ROW,
  historySql,
  MIRROR_SCHEMA,
  MIRROR_WRITES,
} from "./state-mirror-sql.ts";

/** Marks the file. */
export const MIRROR_FORMAT: FileFormat = { noun: "state file", applicationId: 0x4c617453, version: 2 };

/** WAL pages after which a commit copies them back by itself; sync usually comes long before. */
const AUTO_CHECKPOINT_PAGES = 16_384;

/** What the file says about itself, in one checked row. */
export interface MirrorMeta {
  /** Empty while the member waits to join a cluster. */
  readonly clusterId: string;
  /** The end of the log that the rows reflect. */
  readonly applied: SnapshotMeta;
  /** Sum of the hashes of the live rows: a row that vanished or came back from the past shows. */
  readonly liveHash: string;
}

/** A text and its hash. */
export interface CheckedText {
  readonly text: string;
  readonly hash: string;
}

/** A row as the file holds it. */
export interface StoredRow extends CheckedText {
  readonly tbl: string;
  readonly id: string;
}

/** The end of a log that never had an entry. */
const NOTHING_APPLIED: SnapshotMeta = { index: logIndex(0), term: term(0), membership: UNJOINED };

/** Opens the state of cluster `clusterId` in `dir`, or makes an empty one. Throws LatticeError CORRUPT_LOG or INTERNAL. */
export function openStateMirror(options: { readonly dir: string; readonly clusterId: string }): StateMirror {
  const { dir, clusterId } = options;
  const path = join(dir, "state.db");
  prepareDataDir(dir);
  if (!existsSync(path)) {
    const first: MirrorMeta = { clusterId, applied: NOTHING_APPLIED, liveHash: hashHex(EMPTY_HASH) };
    createDatabaseFile(path, MIRROR_FORMAT, (db) => {
      for (const statement of MIRROR_SCHEMA) db.run(statement);
      const { text, hash } = checked(canonicalEncode(first));
      db.run("INSERT INTO meta VALUES (1, ?, ?)", [text, hash]);
    });
  }
  try {
    const meta = inspect(path, clusterId);
    const db = new Database(path, { create: false, readwrite: true });
    db.run("PRAGMA synchronous = NORMAL");
    db.run(`PRAGMA wal_autocheckpoint = ${AUTO_CHECKPOINT_PAGES}`);
    return new SqliteStateMirror(path, db, meta);
  } catch (error) {
    throw sqliteError(path, error);
  }
}

/** Looks through a read-only connection, which leaves a file that is refused as it was. */
function inspect(path: string, clusterId: string): MirrorMeta {
  using db = new Database(path, { readonly: true });
  const meta = readMirrorMeta(path, db);
  // A state that was made before its member joined a cluster is of the log's cluster.
  if (meta.clusterId !== clusterId && meta.clusterId !== "") {
    throw corruptFile(path, `this state belongs to cluster ${meta.clusterId}, the log to cluster ${clusterId}`);
  }
  return { ...meta, clusterId };
}

/** Returns what an open file says about itself. Throws LatticeError CORRUPT_LOG. */
export function readMirrorMeta(path: string, db: Database): MirrorMeta {
  checkFormat(path, db, MIRROR_FORMAT);
  const row = db.query<CheckedText, []>("SELECT text, hash FROM meta").get();
  if (row?.hash !== hashHex(hashText(row?.text ?? ""))) throw corruptFile(path, "the meta row is damaged");
  return JSON.parse(row.text);
}

class SqliteStateMirror implements StateMirror {
  readonly #path: string;
  readonly #db: Database;
  #meta: MirrorMeta;
  #liveHash: Hash64;
  /** Set by the first failed write: rows would be missing ever after. */
  #failure: LatticeError | undefined;
  readonly #writes: { readonly [K in keyof typeof MIRROR_WRITES]: Statement };
  readonly #hashOf: Statement<{ hash: string }, [string, string]>;

  constructor(path: string, db: Database, meta: MirrorMeta) {
    this.#path = path;
    this.#db = db;
    this.#meta = meta;
    this.#liveHash = parseHash(meta.liveHash);
    const prepare = (name: keyof typeof MIRROR_WRITES): Statement => db.prepare(MIRROR_WRITES[name]);
    this.#writes = {
      putLive: prepare("putLive"),
      putArchived: prepare("putArchived"),
      putHistory: prepare("putHistory"),
      dropLive: prepare("dropLive"),
      dropArchived: prepare("dropArchived"),
      dropHistory: prepare("dropHistory"),
      setMeta: prepare("setMeta"),
    };
    this.#hashOf = db.prepare("SELECT hash FROM live WHERE tbl = ? AND id = ?");
  }

  applied(): SnapshotMeta {
    return this.#meta.applied;
  }

  *liveRows(): Iterable<Row> {
    let sum = EMPTY_HASH;
    try {
      using rows = this.#db.prepare<StoredRow, []>("SELECT tbl, id, text, hash FROM live");
      for (const row of rows.iterate()) {
        yield { table: row.tbl, id: row.id, text: this.#trust(row), isLive: true };
        sum = addHash(sum, parseHash(row.hash));
      }
    } catch (error) {
      throw sqliteError(this.#path, error);
    }
    if (hashHex(sum) !== this.#meta.liveHash) {
      throw corruptFile(this.#path, "live rows are missing or older than the rest");
    }
  }

  write(rows: readonly Row[], applied: SnapshotMeta): void {
    this.#transact(() => {
      for (const row of rows) this.#writeRow(row);
      return { ...this.#meta, applied, liveHash: hashHex(this.#liveHash) };
    });
  }

  sync(): void {
    // A commit with FULL puts the whole WAL on stable storage, the earlier commits in it too.
    this.#db.run("PRAGMA synchronous = FULL");
    try {
      this.#transact(() => this.#meta);
    } finally {
      this.#db.run("PRAGMA synchronous = NORMAL");
    }
    // Keeps the WAL short; it is a matter of speed, and a reader may hold it up.
    this.#read(() => this.#db.run("PRAGMA wal_checkpoint(PASSIVE)"));
  }

  find(table: string, id: string): string | undefined {
    const row = this.#read(() => this.#db.query<StoredRow, [string, string]>(FIND_ROW).get(table, id));
    return row ? this.#trust(row) : undefined;
  }

  findByShortId(shortId: number): { readonly table: string; readonly id: string } | undefined {
    const find = () => this.#db.query<{ table: string; id: string }, [number]>(FIND_BY_SHORT_ID).get(shortId);
    return this.#read(find) ?? undefined;
  }

  findByPrefix(prefix: string, limit: number): readonly { readonly table: string; readonly id: string }[] {
    const select = this.#db.query<{ table: string; id: string }, [string, string, number]>(FIND_BY_PREFIX);
    return this.#read(() => select.all(prefix, `${prefix}\u{10ffff}`, limit));
  }

  archivedAllocations(query: HistoryQuery): readonly string[] {
    const { sql, values } = historySql(query);
    const rows = this.#read(() => this.#db.query<StoredRow, (string | number)[]>(sql).all(...values));
    return rows.map((row) => this.#trust(row));
  }

  close(): void {
    for (const statement of Object.values(this.#writes)) statement.finalize();
    this.#hashOf.finalize();
    this.#db.close();
  }

  #writeRow({ table, id, text, isLive }: Row): void {
    const writes = this.#writes;
    const before = this.#hashOf.get(table, id)?.hash;
    if (before !== undefined) this.#liveHash = subtractHash(this.#liveHash, parseHash(before));
    if (text !== undefined && isLive) {
      const hash = hashRow(table, id, text);
      writes.putLive.run(table, id, text, hashHex(hash));
      this.#liveHash = addHash(this.#liveHash, hash);
      return;
    }
    if (before !== undefined) writes.dropLive.run(table, id);
    if (text !== undefined) {
      writes.putArchived.run(table, id, text, hashHex(hashRow(table, id, text)));
      if (table === "allocations") writes.putHistory.run(id, text);
    } else if (before === undefined) {
      writes.dropArchived.run(table, id);
      if (table === "allocations") writes.dropHistory.run(id);
    }
  }

  /** Runs `change` and writes the meta that it returns, all in one transaction. */
  #transact(change: () => MirrorMeta): void {
    if (this.#failure) throw this.#failure;
    try {
      this.#db.transaction(() => {
        const meta = change();
        const { text, hash } = checked(canonicalEncode(meta));
        this.#writes.setMeta.run(text, hash);
        this.#meta = meta;
      })();
    } catch (error) {
      this.#failure = sqliteError(this.#path, error);
      throw this.#failure;
    }
  }

  #read<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw sqliteError(this.#path, error);
    }
  }

  #trust(row: StoredRow): string {
    return trustedText(this.#path, row);
  }
}

/** Returns the text of a stored row. Throws LatticeError CORRUPT_LOG when it is damaged. */
export function trustedText(path: string, row: StoredRow): string {
  if (hashHex(hashRow(row.tbl, row.id, row.text)) !== row.hash) {
    throw corruptFile(path, `row ${row.id} of table ${row.tbl} is damaged`);
  }
  return row.text;
}

/** A row under another row's name is as wrong as another text. */
const hashRow = (table: string, id: string, text: string): Hash64 =>
  addHash(hashText(`${table}/${id}`), hashText(text));

const checked = (text: string): CheckedText => ({ text, hash: hashHex(hashText(text)) });

const parseHash = (hex: string): Hash64 => ({
  high: Number.parseInt(hex.slice(0, 8), 16),
  low: Number.parseInt(hex.slice(8), 16),
});
