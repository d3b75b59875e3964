/**
 * The state on disk as its owner sees it: the rows that memory holds (`live`) and those
 * that only the disk holds (`archived`), in one SQLite file, `state.db`. Reads are made
 * here, on a connection of their own; writes go to the file's one writer, which may be in
 * another thread, and archived rows are found meanwhile.
 */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { compareNumber, compareText } from "../../base/compare.ts";
import type { SnapshotMeta } from "../../core/raft/raft-types.ts";
import type { Row } from "../../core/state/table.ts";
import type { ReceivedSnapshot } from "../../ports/peer-link.ts";
import type { HistoryQuery, StateMirror } from "../../ports/state-mirror.ts";
import { openMirrorCut } from "./mirror-cut.ts";
import type { StoredRow } from "./mirror-file.ts";
import { readMirrorApplied, trustedText } from "./mirror-file.ts";
import type { MirrorLink } from "./mirror-link.ts";
import { directLink } from "./mirror-link.ts";
import type { MirrorPlace } from "./mirror-writer.ts";
import { openMirrorWriter } from "./mirror-writer.ts";
import { sqliteError } from "./sqlite-error.ts";
import { FIND_BY_PREFIX, FIND_BY_SHORT_ID, FIND_ROW, historySql } from "./state-mirror-sql.ts";
import type { FoundAllocation, RowName } from "./unwritten-rows.ts";
import { UnwrittenRows } from "./unwritten-rows.ts";

/** Opens the state in `dir`, or makes an empty one; writes block the caller. Throws LatticeError CORRUPT_LOG or INTERNAL. */
export function openStateMirror(place: MirrorPlace): StateMirror {
  const { dir, clusterId } = place;
  return openLinkedMirror({ dir, clusterId: () => clusterId }, directLink(openMirrorWriter(place)));
}

/** Opens the state whose writer, behind `link`, has opened it. Throws LatticeError CORRUPT_LOG or INTERNAL. */
export function openLinkedMirror(place: LinkedPlace, link: MirrorLink): StateMirror {
  return new SqliteStateMirror(place, link, new Reader(join(place.dir, "state.db")));
}

/** Where the state is and whose it is at the moment. */
export interface LinkedPlace {
  readonly dir: string;
  /** Returns an empty text while the member waits to join a cluster. */
  clusterId(): string;
}

class SqliteStateMirror implements StateMirror {
  readonly #place: LinkedPlace;
  readonly #link: MirrorLink;
  readonly #unwritten = new UnwrittenRows();
  #reader: Reader;
  #applied: SnapshotMeta;
  #clusterId: string;

  constructor(place: LinkedPlace, link: MirrorLink, reader: Reader) {
    this.#place = place;
    this.#clusterId = place.clusterId();
    this.#link = link;
    this.#reader = reader;
    this.#applied = reader.applied();
  }

  applied(): SnapshotMeta {
    return this.#applied;
  }

  *liveRows(): Iterable<Row> {
    const cut = openMirrorCut(this.#place.dir);
    try {
      yield* cut.liveRows();
    } finally {
      cut.close();
    }
  }

  stage(rows: readonly Row[]): void {
    this.#unwritten.add(rows);
    this.#link.stage(rows);
  }

  async write(rows: readonly Row[], applied: SnapshotMeta): Promise<void> {
    this.#noticeCluster();
    this.#unwritten.add(rows);
    this.#applied = applied;
    const write = this.#unwritten.endWrite();
    await this.#link.write(rows, applied);
    this.#unwritten.written(write);
  }

  async replace(snapshot: ReceivedSnapshot): Promise<void> {
    this.#noticeCluster();
    const applied = await this.#link.replace(snapshot);
    // Until here the old reader has served from the old file.
    const reader = new Reader(join(this.#place.dir, "state.db"));
    this.#reader.close();
    this.#reader = reader;
    this.#applied = applied;
    this.#unwritten.clear();
  }

  sync(): Promise<void> {
    return this.#link.sync();
  }

  find(table: string, id: string): string | undefined {
    return this.#unwritten.find(table, id) ?? this.#reader.find(table, id);
  }

  findByShortId(shortId: number): RowName | undefined {
    return this.#unwritten.findByShortId(shortId) ?? this.#reader.findByShortId(shortId);
  }

  findByPrefix(prefix: string, limit: number): readonly RowName[] {
    const unwritten = this.#unwritten.findByPrefix(prefix);
    const written = this.#reader.findByPrefix(prefix, limit);
    if (unwritten.length === 0) return written;
    return distinct([...unwritten, ...written])
      .sort((a, b) => compareText(a.id, b.id))
      .slice(0, limit);
  }

  archivedAllocations(query: HistoryQuery): readonly string[] {
    const unwritten = this.#unwritten.findAllocations(query);
    const written = this.#reader.findAllocations(query);
    if (unwritten.length === 0) return written.map(({ text }) => text);
    const found = distinct([...unwritten, ...written]).sort((a, b) => compareNumber(b.shortId, a.shortId));
    return found.slice(0, query.limit).map(({ text }) => text);
  }

  async close(): Promise<void> {
    // The writer closes last: that is what tidies up the write-ahead log.
    this.#reader.close();
    await this.#link.close();
  }

  #noticeCluster(): void {
    const clusterId = this.#place.clusterId();
    if (clusterId === this.#clusterId) return;
    this.#clusterId = clusterId;
    this.#link.adopt(clusterId);
  }
}

/** A row may be on disk already and not yet confirmed. */
const distinct = <T extends { readonly id: string }>(rows: readonly T[]): T[] => [
  ...new Map(rows.map((row) => [row.id, row])).values(),
];

/** Reads one file. */
class Reader {
  readonly #path: string;
  readonly #db: Database;

  constructor(path: string) {
    this.#path = path;
    this.#db = this.#read(() => new Database(path, { readonly: true }));
  }

  applied(): SnapshotMeta {
    return readMirrorApplied(this.#path);
  }

  find(table: string, id: string): string | undefined {
    const row = this.#read(() => this.#db.query<StoredRow, [string, string]>(FIND_ROW).get(table, id));
    return row ? trustedText(this.#path, row) : undefined;
  }

  findByShortId(shortId: number): RowName | undefined {
    const find = () => this.#db.query<RowName, [number]>(FIND_BY_SHORT_ID).get(shortId);
    return this.#read(find) ?? undefined;
  }

  findByPrefix(prefix: string, limit: number): readonly RowName[] {
    const select = this.#db.query<RowName, [string, string, number]>(FIND_BY_PREFIX);
    return this.#read(() => select.all(prefix, `${prefix}\u{10ffff}`, limit));
  }

  findAllocations(query: HistoryQuery): readonly FoundAllocation[] {
    const { sql, values } = historySql(query);
    const select = () => this.#db.query<StoredRow & { short_id: number }, (string | number)[]>(sql).all(...values);
    return this.#read(select).map((row) => ({
      id: row.id,
      shortId: row.short_id,
      text: trustedText(this.#path, row),
    }));
  }

  close(): void {
    this.#db.close();
  }

  #read<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw sqliteError(this.#path, error);
    }
  }
}
