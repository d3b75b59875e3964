/**
 * What a loaded log means. Called once when a store is opened, with every record it
 * holds. A sound log is taken as it is. From the first damaged entry on, the log is given
 * up when other voters hold what it held; a sole voter's log is refused, for it would
 * forget what it acknowledged.
 */
import type { LogIndex } from "../../base/brand.ts";
import { logIndex } from "../../base/brand.ts";
import type { Result } from "../../base/result.ts";
import { err, ok } from "../../base/result.ts";
import type { LogShape } from "./log.ts";
import { extendLog, lastTerm } from "./log.ts";
import { decodeMembership, votersOf } from "./membership.ts";
import type { Entry, HardState, MemberId, MembershipAt } from "./raft-types.ts";
import type { LogState } from "./record.ts";
import { decodeEntry } from "./record.ts";

/** A record and the index it is stored under. */
export interface StoredRecord {
  readonly index: number;
  readonly record: Uint8Array;
}

/** A log that may be used. */
export interface RecoveredLog {
  readonly hardState: HardState;
  readonly shape: LogShape;
  /** The one at the compacted index, then those of the entries that follow. */
  readonly memberships: readonly MembershipAt[];
  /** Set when entries from `from` on must be dropped before the log is used. */
  readonly damage?: { readonly from: LogIndex; readonly defect: string };
}

/** Returns the log of member `self` made of `records`, in index order, or why it cannot be used. */
export function recoverLog(
  self: MemberId,
  state: LogState,
  records: Iterable<StoredRecord>,
): Result<RecoveredLog, string> {
  const reading = new LogReading(state);
  for (const stored of records) reading.add(stored);
  reading.finish();
  const { shape, memberships, defect, newest } = reading;
  const { hardState } = state;
  if (hardState.term < lastTerm(shape)) {
    return err(`the member's term ${hardState.term} is behind term ${lastTerm(shape)} of its last entry`);
  }
  if (shape.lastIndex > state.lastIndex) {
    return err(`the log ends at entry ${shape.lastIndex}, but entry ${state.lastIndex} was acknowledged as its last`);
  }
  if (defect === undefined) {
    if (hardState.commit <= shape.lastIndex) return ok({ hardState, shape, memberships });
    return err(`entry ${hardState.commit} was committed, but the log ends at entry ${shape.lastIndex}`);
  }
  if (!votersOf(newest.membership).some((id) => id !== self)) return err(defect);
  return ok({
    hardState: {
      ...hardState,
      commit: logIndex(Math.min(hardState.commit, shape.lastIndex)),
      recoverUntil: logIndex(Math.max(state.lastIndex, hardState.recoverUntil ?? 0)),
    },
    shape,
    memberships,
    damage: { from: logIndex(shape.lastIndex + 1), defect },
  });
}

/** The log as far as it is sound, and the first thing that is wrong. */
class LogReading {
  shape: LogShape;
  readonly memberships: MembershipAt[];
  defect: string | undefined;
  /** The last membership among the sound records, those behind the damage included. */
  newest: MembershipAt;
  readonly #acknowledgedLast: LogIndex;

  constructor(state: LogState) {
    const { compactedIndex, compactedTerm } = state;
    this.shape = { compactedIndex, compactedTerm, lastIndex: compactedIndex, runs: [] };
    this.memberships = [state.membership];
    this.newest = state.membership;
    this.#acknowledgedLast = state.lastIndex;
  }

  add({ index, record }: StoredRecord): void {
    const entry = decodeEntry(record, logIndex(index));
    if (entry.ok && entry.value.kind === "membership") {
      this.newest = { index: entry.value.index, membership: decodeMembership(entry.value.data) };
    }
    if (this.defect !== undefined) return;
    const misplaced = this.#findMisplaced(index);
    if (misplaced !== undefined) this.defect = misplaced;
    else if (!entry.ok) this.defect = entry.error;
    else this.#append(entry.value);
  }

  /** The state record is written with the entries, so the two must agree exactly. */
  finish(): void {
    const { lastIndex } = this.shape;
    if (this.defect !== undefined || lastIndex >= this.#acknowledgedLast) return;
    this.defect = `the log ends at entry ${lastIndex}, but entry ${this.#acknowledgedLast} was acknowledged as its last`;
  }

  #findMisplaced(index: number): string | undefined {
    const { lastIndex } = this.shape;
    if (index > lastIndex + 1) return `entry ${lastIndex + 1} is missing: entry ${index} comes next`;
    return index <= lastIndex
      ? `entry ${index} is stored although the log was compacted up to ${lastIndex}`
      : undefined;
  }

  #append(entry: Entry): void {
    const before = lastTerm(this.shape);
    if (entry.term < before) {
      this.defect = `the term goes back from ${before} to ${entry.term} at entry ${entry.index}`;
      return;
    }
    this.shape = extendLog(this.shape, entry.term, 1);
    if (entry.kind === "membership") this.memberships.push(this.newest);
  }
}
