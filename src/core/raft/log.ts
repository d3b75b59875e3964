/**
 * The shape of a member's log: which index has which term, as runs. The core decides over
 * this; the bytes stay with the store and the driver. Terms change rarely, so the shape of
 * a log of any length is a few numbers.
 */
import { assert } from "../../base/assert.ts";
import type { LogIndex, Term } from "../../base/brand.ts";
import { logIndex, term } from "../../base/brand.ts";

/** Consecutive entries of one term, from `first` up to the next run or the end of the log. */
export interface TermRun {
  readonly term: Term;
  readonly first: LogIndex;
}

/**
 * Invariant INV-R2: compactedIndex <= lastIndex; the runs ascend in index and in term; the
 * first run begins at compactedIndex + 1, and there is none exactly when the log is empty.
 */
export interface LogShape {
  /** Everything up to here has been compacted away; 0 when nothing was. */
  readonly compactedIndex: LogIndex;
  readonly compactedTerm: Term;
  readonly lastIndex: LogIndex;
  readonly runs: readonly TermRun[];
}

/** The log before its first entry. */
export const EMPTY_LOG: LogShape = {
  compactedIndex: logIndex(0),
  compactedTerm: term(0),
  lastIndex: logIndex(0),
  runs: [],
};

/** Returns the term of the last entry, compacted ones included; 0 for a log that never had one. */
export const lastTerm = (log: LogShape): Term => log.runs.at(-1)?.term ?? log.compactedTerm;

/** Returns the term of the entry at `index`, or undefined when the log does not know it. */
export function termAt(log: LogShape, index: LogIndex): Term | undefined {
  if (index === log.compactedIndex) return log.compactedTerm;
  if (index > log.lastIndex) return undefined;
  return log.runs.findLast((run) => run.first <= index)?.term;
}

/** Returns the log with `count` more entries of `entryTerm` at its end. */
export function extendLog(log: LogShape, entryTerm: Term, count: number): LogShape {
  if (count === 0) return log;
  assert(entryTerm >= lastTerm(log), `an entry of term ${entryTerm} cannot follow one of term ${lastTerm(log)}`);
  const startsRun = log.runs.at(-1)?.term !== entryTerm;
  const runs = startsRun ? [...log.runs, { term: entryTerm, first: logIndex(log.lastIndex + 1) }] : log.runs;
  return { ...log, lastIndex: logIndex(log.lastIndex + count), runs };
}

/** Returns the log without the entries up to and including `index`. */
export function compactLog(log: LogShape, index: LogIndex): LogShape {
  const compactedTerm = termAt(log, index);
  assert(compactedTerm !== undefined, `entry ${index} is not in the log, so it cannot be compacted`);
  const first = logIndex(index + 1);
  const runs = log.runs
    .filter((_, i) => (log.runs[i + 1]?.first ?? log.lastIndex + 1) > first)
    .map((run) => (run.first < first ? { term: run.term, first } : run));
  return { compactedIndex: index, compactedTerm, lastIndex: log.lastIndex, runs };
}

/** Returns the log without the entries from `index` on. */
export function truncateLog(log: LogShape, index: LogIndex): LogShape {
  assert(index > log.compactedIndex, `entry ${index} is compacted, so it cannot be dropped`);
  if (index > log.lastIndex) return log;
  return { ...log, lastIndex: logIndex(index - 1), runs: log.runs.filter((run) => run.first < index) };
}
