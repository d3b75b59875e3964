/**
 * What `state.db` is as a file: its format, what it says of itself, and how its texts are
 * checked. Every reader and writer of the file goes through here.
 */
import { Database } from "bun:sqlite";
import { logIndex, term } from "../../base/brand.ts";
import { canonicalEncode } from "../../base/canonical-encode.ts";
import type { Hash64 } from "../../base/hash.ts";
import { addHash, EMPTY_HASH, hashHex, hashText } from "../../base/hash.ts";
import { UNJOINED } from "../../core/raft/membership.ts";
import type { SnapshotMeta } from "../../core/raft/raft-types.ts";
import type { FileFormat } from "./database-file.ts";
import { checkFormat, createDatabaseFile } from "./database-file.ts";
import { corruptFile, sqliteError } from "./sqlite-error.ts";
import { MIRROR_INDEXES, MIRROR_TABLES } from "./state-mirror-sql.ts";

/** Marks the file. */
export const MIRROR_FORMAT: FileFormat = { noun: "state file", applicationId: 0x4c617453, version: 2 };

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
export const NOTHING_APPLIED: SnapshotMeta = { index: logIndex(0), term: term(0), membership: UNJOINED };

/** Makes a state file without rows. */
export function createMirrorFile(path: string, clusterId: string): void {
  createDatabaseFile(path, MIRROR_FORMAT, (db) => {
    for (const statement of [...MIRROR_TABLES, ...MIRROR_INDEXES]) db.run(statement);
    insertMirrorMeta(db, { clusterId, applied: NOTHING_APPLIED, liveHash: hashHex(EMPTY_HASH) });
  });
}

/** Writes the meta row of a file that has none. */
export function insertMirrorMeta(db: Database, meta: MirrorMeta): void {
  const { text, hash } = checkedText(canonicalEncode(meta));
  db.run("INSERT INTO meta VALUES (1, ?, ?)", [text, hash]);
}

/** Returns what an open file says about itself. Throws LatticeError CORRUPT_LOG. */
export function readMirrorMeta(path: string, db: Database): MirrorMeta {
  checkFormat(path, db, MIRROR_FORMAT);
  const row = db.query<CheckedText, []>("SELECT text, hash FROM meta").get();
  if (row?.hash !== hashHex(hashText(row?.text ?? ""))) throw corruptFile(path, "the meta row is damaged");
  return JSON.parse(row.text);
}

/**
 * Returns what the file says about itself, read through a read-only connection, which
 * leaves a file that is refused as it was. Throws LatticeError CORRUPT_LOG or INTERNAL.
 */
export function inspectMirror(path: string, clusterId: string): MirrorMeta {
  try {
    using db = new Database(path, { readonly: true });
    const meta = readMirrorMeta(path, db);
    // A state that was made before its member joined a cluster is of the log's cluster.
    if (meta.clusterId !== clusterId && meta.clusterId !== "") {
      throw corruptFile(path, `this state belongs to cluster ${meta.clusterId}, the log to cluster ${clusterId}`);
    }
    return { ...meta, clusterId };
  } catch (error) {
    throw sqliteError(path, error);
  }
}

/** Returns the end of the log that the file reflects, of whatever cluster. Throws LatticeError CORRUPT_LOG, INTERNAL. */
export function readMirrorApplied(path: string): SnapshotMeta {
  try {
    using db = new Database(path, { readonly: true });
    return readMirrorMeta(path, db).applied;
  } catch (error) {
    throw sqliteError(path, error);
  }
}

/** Returns the text of a stored row. Throws LatticeError CORRUPT_LOG when it is damaged. */
export function trustedText(path: string, row: StoredRow): string {
  if (hashHex(hashRow(row.tbl, row.id, row.text)) !== row.hash) {
    throw corruptFile(path, `row ${row.id} of table ${row.tbl} is damaged`);
  }
  return row.text;
}

/** Returns the hash of a row: a row under another row's name is as wrong as another text. */
export const hashRow = (table: string, id: string, text: string): Hash64 =>
  addHash(hashText(`${table}/${id}`), hashText(text));

/** Returns a text with its hash. */
export const checkedText = (text: string): CheckedText => ({ text, hash: hashHex(hashText(text)) });

/** Reads what hashHex wrote. */
export const parseHash = (hex: string): Hash64 => ({
  high: Number.parseInt(hex.slice(0, 8), 16),
  low: Number.parseInt(hex.slice(8), 16),
});
