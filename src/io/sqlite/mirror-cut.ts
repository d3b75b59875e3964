/**
 * A consistent look at the state on disk while its server goes on writing: one read
 * transaction over `state.db` on a connection of its own. Each row is checked as it is read.
 */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import type { SnapshotMeta } from "../../core/raft/raft-types.ts";
import type { Row } from "../../core/state/table.ts";
import { sqliteError } from "./sqlite-error.ts";
import { readMirrorMeta, type StoredRow, trustedText } from "./state-mirror.ts";

/** The state at one index. */
export interface MirrorCut {
  readonly clusterId: string;
  readonly applied: SnapshotMeta;
  /** Walks all rows, the live ones first. */
  rows(): IterableIterator<Row>;
  /** Returns one live row's text, or undefined. */
  find(table: string, id: string): string | undefined;
  close(): void;
}

/** Opens the state in `dir` as it is at this moment. Throws LatticeError CORRUPT_LOG or INTERNAL. */
export function openMirrorCut(dir: string): MirrorCut {
  const path = join(dir, "state.db");
  try {
    const db = new Database(path, { readonly: true });
    db.run("BEGIN");
    const { clusterId, applied } = readMirrorMeta(path, db);
    return {
      clusterId,
      applied,
      rows: () => readRows(path, db),
      find: (table, id) => {
        const row = db.query<StoredRow, [string, string]>("SELECT * FROM live WHERE tbl = ? AND id = ?").get(table, id);
        return row === null ? undefined : trustedText(path, row);
      },
      close: () => db.close(),
    };
  } catch (error) {
    throw sqliteError(path, error);
  }
}

function* readRows(path: string, db: Database): IterableIterator<Row> {
  try {
    for (const table of ["live", "archived"] as const) {
      using rows = db.prepare<StoredRow, []>(`SELECT tbl, id, text, hash FROM ${table}`);
      for (const row of rows.iterate()) {
        yield { table: row.tbl, id: row.id, text: trustedText(path, row), isLive: table === "live" };
      }
    }
  } catch (error) {
    throw sqliteError(path, error);
  }
}
