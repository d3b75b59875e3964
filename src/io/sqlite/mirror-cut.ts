/**
 * A consistent look at the state on disk while its server goes on writing: one read
 * transaction over `state.db` on a connection of its own. Each row is checked as it is read.
 */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { addHash, EMPTY_HASH, hashHex } from "../../base/hash.ts";
import type { SnapshotMeta } from "../../core/raft/raft-types.ts";
import type { Row } from "../../core/state/table.ts";
import type { MirrorMeta, StoredRow } from "./mirror-file.ts";
import { parseHash, readMirrorMeta, trustedText } from "./mirror-file.ts";
import { corruptFile, sqliteError } from "./sqlite-error.ts";

/** The state at one index. */
export interface MirrorCut {
  readonly clusterId: string;
  readonly applied: SnapshotMeta;
  /** Walks all rows, the live ones first. Throws LatticeError CORRUPT_LOG, at the latest after the live ones. */
  rows(): IterableIterator<Row>;
  /** Walks the live rows. */
  liveRows(): IterableIterator<Row>;
  /** Returns one live row's text, or undefined. */
  find(table: string, id: string): string | undefined;
  close(): void;
}

/** Opens the state in `dir` as it is at this moment. Throws LatticeError CORRUPT_LOG or INTERNAL. */
export function openMirrorCut(dir: string): MirrorCut {
  const path = join(dir, "state.db");
  try {
    const db = new Database(path, { readonly: true });
    try {
      db.run("BEGIN");
      return new SqliteMirrorCut(path, db, readMirrorMeta(path, db));
    } catch (error) {
      db.close();
      throw error;
    }
  } catch (error) {
    throw sqliteError(path, error);
  }
}

class SqliteMirrorCut implements MirrorCut {
  readonly clusterId: string;
  readonly applied: SnapshotMeta;
  readonly #path: string;
  readonly #db: Database;
  readonly #liveHash: string;

  constructor(path: string, db: Database, { clusterId, applied, liveHash }: MirrorMeta) {
    this.#path = path;
    this.#db = db;
    this.clusterId = clusterId;
    this.applied = applied;
    this.#liveHash = liveHash;
  }

  *rows(): IterableIterator<Row> {
    yield* this.liveRows();
    for (const row of this.#read("archived")) yield asRow(row, false);
  }

  *liveRows(): IterableIterator<Row> {
    let sum = EMPTY_HASH;
    for (const row of this.#read("live")) {
      yield asRow(row, true);
      sum = addHash(sum, parseHash(row.hash));
    }
    if (hashHex(sum) !== this.#liveHash) {
      throw corruptFile(this.#path, "live rows are missing or older than the rest");
    }
  }

  find(table: string, id: string): string | undefined {
    const select = this.#db.query<StoredRow, [string, string]>("SELECT * FROM live WHERE tbl = ? AND id = ?");
    const row = select.get(table, id);
    return row === null ? undefined : trustedText(this.#path, row);
  }

  close(): void {
    this.#db.close();
  }

  *#read(table: "live" | "archived"): IterableIterator<StoredRow> {
    try {
      using rows = this.#db.prepare<StoredRow, []>(`SELECT tbl, id, text, hash FROM ${table}`);
      for (const row of rows.iterate()) {
        trustedText(this.#path, row);
        yield row;
      }
    } catch (error) {
      throw sqliteError(this.#path, error);
    }
  }
}

const asRow = ({ tbl, id, text }: StoredRow, isLive: boolean): Row => ({ table: tbl, id, text, isLive });
