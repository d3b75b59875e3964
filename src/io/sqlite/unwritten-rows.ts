/**
 * Archived rows on their way to disk. Memory has forgotten them and the file does not have
 * them yet, so they are searched here, by the same filters as in the file.
 */
import type { Row } from "../../core/state/table.ts";
import type { HistoryQuery } from "../../ports/state-mirror.ts";

/** What people can name by the first characters of its id. */
const NAMED_TABLES: ReadonlySet<string> = new Set(["allocations", "taskGroups", "dags"]);
const NUMBERED_TABLES: ReadonlySet<string> = new Set(["allocations", "taskGroups"]);

/** Names a row. */
export interface RowName {
  readonly table: string;
  readonly id: string;
}

/** An archived allocation, newest by the largest number. */
export interface FoundAllocation {
  readonly id: string;
  readonly shortId: number;
  readonly text: string;
}

/** What searches look at. */
interface Searchable {
  readonly shortId?: number;
  readonly user?: string;
  readonly state?: string;
  readonly dag?: string;
  readonly spec?: { readonly tenant?: string; readonly vcluster?: string; readonly name?: string };
  readonly task?: { readonly group?: string };
}

interface Unwritten extends RowName {
  readonly text: string;
  /** The write that brings it to disk. */
  readonly write: number;
  record?: Searchable;
}

export class UnwrittenRows {
  readonly #rows = new Map<string, Unwritten>();
  #write = 1;

  /** Remembers the archived ones among `rows`, which the next write brings to disk. */
  add(rows: readonly Row[]): void {
    for (const { table, id, text, isLive } of rows) {
      const key = `${table}/${id}`;
      if (text === undefined) this.#rows.delete(key);
      else if (!isLive) this.#rows.set(key, { table, id, text, write: this.#write });
    }
  }

  /** Ends a write and returns its number. */
  endWrite(): number {
    return this.#write++;
  }

  /** Forgets what is on disk after `write`. */
  written(write: number): void {
    for (const [key, row] of this.#rows) if (row.write <= write) this.#rows.delete(key);
  }

  clear(): void {
    this.#rows.clear();
  }

  find(table: string, id: string): string | undefined {
    return this.#rows.get(`${table}/${id}`)?.text;
  }

  findByShortId(shortId: number): RowName | undefined {
    for (const row of this.#rows.values()) {
      if (NUMBERED_TABLES.has(row.table) && recordOf(row).shortId === shortId) return nameOf(row);
    }
    return undefined;
  }

  findByPrefix(prefix: string): readonly RowName[] {
    return [...this.#rows.values()].filter((r) => NAMED_TABLES.has(r.table) && r.id.startsWith(prefix)).map(nameOf);
  }

  findAllocations(query: HistoryQuery): readonly FoundAllocation[] {
    const found: FoundAllocation[] = [];
    for (const row of this.#rows.values()) {
      if (row.table !== "allocations") continue;
      const record = recordOf(row);
      if (matches(record, query)) found.push({ id: row.id, shortId: record.shortId ?? 0, text: row.text });
    }
    return found;
  }
}

const nameOf = ({ table, id }: RowName): RowName => ({ table, id });

/** Parsed when first asked for: most rows are on disk before anybody searches. */
function recordOf(row: Unwritten): Searchable {
  row.record ??= JSON.parse(row.text);
  return row.record ?? {};
}

function matches({ shortId = 0, spec, task, ...record }: Searchable, query: HistoryQuery): boolean {
  const wanted: readonly (readonly [string | undefined, string | undefined])[] = [
    [query.tenant, spec?.tenant],
    [query.user, record.user],
    [query.vcluster, spec?.vcluster],
    [query.name, spec?.name],
    [query.dag, record.dag],
    [query.group, task?.group],
  ];
  return (
    wanted.every(([asked, own]) => asked === undefined || asked === own) &&
    (query.states === undefined || query.states.includes(record.state ?? "")) &&
    (query.beforeShortId === undefined || shortId < query.beforeShortId)
  );
}
