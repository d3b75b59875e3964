/**
 * The state on disk: rows of the tables with the index they reflect. It may lag behind
 * memory (the log is the truth) and holds, besides, the archived rows that memory lacks.
 */
import type { SnapshotMeta } from "../core/raft/raft-types.ts";
import type { Row } from "../core/state/table.ts";
import type { ReceivedSnapshot } from "./peer-link.ts";

/** A filter over archived and live allocations; absent fields match all. */
export interface HistoryQuery {
  readonly tenant?: string;
  readonly user?: string;
  readonly vcluster?: string;
  readonly name?: string;
  readonly states?: readonly string[];
  readonly dag?: string;
  readonly group?: string;
  /** Only short ids below this one: pages run from the newest to the oldest. */
  readonly beforeShortId?: number;
  readonly limit: number;
}

export interface StateMirror {
  /** The end of the log that the rows of the last write reflect; index 0 when there are none. */
  applied(): SnapshotMeta;
  /** Walks the live rows. Throws LatticeError CORRUPT_LOG naming the damaged row. */
  liveRows(): Iterable<Row>;
  /** Takes rows that the next write brings to disk. Archived ones are found from here on. */
  stage(rows: readonly Row[]): void;
  /**
   * Writes what is staged, these rows and the end of the log that they all reflect in one
   * transaction; resolves when that is done, though not yet durable. Writes keep their order.
   * Once one has failed, every later one rejects.
   */
  write(rows: readonly Row[], applied: SnapshotMeta): Promise<void>;
  /**
   * Puts a received snapshot, which it removes, in the place of everything, what is staged
   * included; until then the old state is read. Rejects with LatticeError CORRUPT_LOG,
   * keeping the old state, or INTERNAL.
   */
  replace(snapshot: ReceivedSnapshot): Promise<void>;
  /** Resolves once everything written is durable. */
  sync(): Promise<void>;
  /** Returns the text of one row, archived or live. */
  find(table: string, id: string): string | undefined;
  /** Returns the id of the row with this short id, archived or live. */
  findByShortId(shortId: number): { readonly table: string; readonly id: string } | undefined;
  /** Returns the ids of rows (allocations, task groups, DAGs) that begin with `prefix`; two are enough to know it is ambiguous. */
  findByPrefix(prefix: string, limit: number): readonly { readonly table: string; readonly id: string }[];
  /** Returns texts of archived allocations, newest first. */
  archivedAllocations(query: HistoryQuery): readonly string[];
  close(): Promise<void>;
}
