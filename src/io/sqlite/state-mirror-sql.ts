/**
 * The tables of `state.db` and every statement on them. Rows are text to the mirror; only
 * here does it look into one, for the fields that archived allocations are searched by.
 *
 *   live      what memory holds       archived  what only the disk holds
 *   history   one narrow row for each archived allocation: searches never touch the texts
 */
import type { HistoryQuery } from "../../ports/state-mirror.ts";

const ROW_COLUMNS = `
  tbl TEXT NOT NULL, id TEXT NOT NULL, text TEXT NOT NULL, hash TEXT NOT NULL, short_id INTEGER,
  PRIMARY KEY (tbl, id)`;

/** The statements that make the tables of an empty mirror. */
export const MIRROR_TABLES: readonly string[] = [
  "CREATE TABLE meta (one INTEGER PRIMARY KEY CHECK (one = 1), text TEXT NOT NULL, hash TEXT NOT NULL)",
  `CREATE TABLE live (${ROW_COLUMNS})`,
  `CREATE TABLE archived (${ROW_COLUMNS})`,
  `CREATE TABLE history (
    short_id INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, user TEXT NOT NULL,
    vcluster TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, dag TEXT, task_group TEXT)`,
];

/** The statements that make the indexes, before or after there are rows. */
export const MIRROR_INDEXES: readonly string[] = [
  "CREATE INDEX live_short_id ON live (short_id) WHERE short_id IS NOT NULL",
  "CREATE INDEX archived_short_id ON archived (short_id) WHERE short_id IS NOT NULL",
  // Each index ends in the short id, so pages come out in order without a sort.
  "CREATE INDEX history_tenant ON history (tenant)",
  "CREATE INDEX history_user ON history (user)",
  "CREATE INDEX history_dag ON history (dag) WHERE dag IS NOT NULL",
  "CREATE INDEX history_task_group ON history (task_group) WHERE task_group IS NOT NULL",
];

const SHORT_ID = "CASE WHEN ?1 IN ('allocations', 'taskGroups') THEN json_extract(?3, '$.shortId') END";

const putInto = (table: string): string => `
  INSERT INTO ${table} VALUES (?1, ?2, ?3, ?4, ${SHORT_ID})
  ON CONFLICT (tbl, id) DO UPDATE SET text = excluded.text, hash = excluded.hash`;

/** The statements that write; the first parameters of row writes are table, id, text, hash. */
export const MIRROR_WRITES = {
  putLive: putInto("live"),
  putArchived: putInto("archived"),
  putHistory: `
    INSERT OR REPLACE INTO history
    SELECT json_extract(?2, '$.shortId'), ?1, json_extract(?2, '$.spec.tenant'), json_extract(?2, '$.user'),
      json_extract(?2, '$.spec.vcluster'), json_extract(?2, '$.spec.name'), json_extract(?2, '$.state'),
      json_extract(?2, '$.dag'), json_extract(?2, '$.task.group')`,
  dropLive: "DELETE FROM live WHERE tbl = ? AND id = ?",
  dropArchived: "DELETE FROM archived WHERE tbl = ? AND id = ?",
  dropHistory: "DELETE FROM history WHERE id = ?",
  setMeta: "UPDATE meta SET text = ?, hash = ?",
} as const;

const both = (columns: string, where: string): string =>
  `SELECT ${columns} FROM live WHERE ${where} UNION ALL SELECT ${columns} FROM archived WHERE ${where}`;

/** Finds a row by table and id. */
export const FIND_ROW: string = both("tbl, id, text, hash", "tbl = ?1 AND id = ?2");

/** Finds the allocation or task group with a number. */
export const FIND_BY_SHORT_ID: string = both('tbl AS "table", id', "short_id = ?1");

/** Finds what people name by the first characters of its id, from ?1 up to ?2. */
export const FIND_BY_PREFIX: string = `${both(
  'tbl AS "table", id',
  "tbl IN ('allocations', 'taskGroups', 'dags') AND id >= ?1 AND id < ?2",
)} ORDER BY id LIMIT ?3`;

/** Returns the statement that finds archived allocations, newest first, and its values. */
export function historySql(query: HistoryQuery): { readonly sql: string; readonly values: (string | number)[] } {
  const filters: readonly (readonly [string, string | number | undefined])[] = [
    ["h.tenant = ?", query.tenant],
    ["h.user = ?", query.user],
    ["h.vcluster = ?", query.vcluster],
    ["h.name = ?", query.name],
    ["h.dag = ?", query.dag],
    ["h.task_group = ?", query.group],
    ["h.state IN (SELECT value FROM json_each(?))", query.states && JSON.stringify(query.states)],
    ["h.short_id < ?", query.beforeShortId],
  ];
  const wheres: string[] = [];
  const values: (string | number)[] = [];
  for (const [where, value] of filters) {
    if (value === undefined) continue;
    wheres.push(where);
    values.push(value);
  }
  const sql = `
    SELECT a.tbl, a.id, a.text, a.hash, h.short_id
    FROM history h JOIN archived a ON a.tbl = 'allocations' AND a.id = h.id
    ${wheres.length > 0 ? `WHERE ${wheres.join(" AND ")}` : ""}
    ORDER BY h.short_id DESC LIMIT ?`;
  return { sql, values: [...values, query.limit] };
}
