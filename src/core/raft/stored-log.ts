/**
 * What a store holds after each kind of write: the log's shape and the memberships of its
 * entries move together. Used by every LogStore, so that they cannot differ in it.
 */
import { assert } from "../../base/assert.ts";
import type { LogIndex } from "../../base/brand.ts";
import type { LogShape } from "./log.ts";
import { compactLog, extendLog, truncateLog } from "./log.ts";
import { decodeMembership } from "./membership.ts";
import type { Entry, HardState, MembershipAt, SnapshotMeta } from "./raft-types.ts";

/** A member's log as its store knows it, without the entries' bytes. */
export interface LogSummary {
  readonly hardState: HardState;
  readonly shape: LogShape;
  /** The one at the compacted index, then those of the entries that follow, in order. */
  readonly memberships: readonly MembershipAt[];
}

/** Returns the log with `entries` at its end. */
export function afterAppend(log: LogSummary, entries: readonly Entry[]): LogSummary {
  let { shape, memberships } = log;
  for (const { index, term, kind, data } of entries) {
    assert(index === shape.lastIndex + 1, `entry ${index} cannot follow entry ${shape.lastIndex}`);
    shape = extendLog(shape, term, 1);
    if (kind === "membership") memberships = [...memberships, { index, membership: decodeMembership(data) }];
  }
  return { ...log, shape, memberships };
}

/** Returns the log without the entries from `index` on. */
export const afterTruncation = (log: LogSummary, index: LogIndex): LogSummary => ({
  ...log,
  shape: truncateLog(log.shape, index),
  memberships: log.memberships.filter((m) => m.index < index),
});

/** Returns the log without the entries up to and including `index`. */
export function afterCompaction(log: LogSummary, index: LogIndex): LogSummary {
  const base = log.memberships.findLastIndex((m) => m.index <= index);
  return { ...log, shape: compactLog(log.shape, index), memberships: log.memberships.slice(base) };
}

/** Returns the log that begins after `snapshot`. */
export const afterInstall = (hardState: HardState, { index, term, membership }: SnapshotMeta): LogSummary => ({
  hardState,
  shape: { compactedIndex: index, compactedTerm: term, lastIndex: index, runs: [] },
  memberships: [membership],
});
