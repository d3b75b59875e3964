/**
 * What a loaded log means. Called once when a store is opened, with every record it
 * holds; says either what the log's shape is, or the exact reason why it cannot be
 * trusted. It never repairs: a log that lost an acknowledged entry is no longer a log.
 */
import { logIndex } from "../../base/brand.ts";
import type { Result } from "../../base/result.ts";
import { err, ok } from "../../base/result.ts";
import type { LogShape } from "./log.ts";
import { extendLog, lastTerm } from "./log.ts";
import type { LogState } from "./record.ts";
import { decodeEntry } from "./record.ts";

/** A record and the index it is stored under. */
export interface StoredRecord {
  readonly index: number;
  readonly record: Uint8Array;
}

/** Returns the shape of the log made of `records`, in index order, or why it is not one. */
export function recoverLog(state: LogState, records: Iterable<StoredRecord>): Result<LogShape, string> {
  let log: LogShape = {
    compactedIndex: state.compactedIndex,
    compactedTerm: state.compactedTerm,
    lastIndex: state.compactedIndex,
    runs: [],
  };
  for (const { index, record } of records) {
    const expected = log.lastIndex + 1;
    if (index > expected) return err(`entry ${expected} is missing: entry ${index} comes next`);
    if (index < expected) return err(`entry ${index} is stored although the log was compacted up to ${log.lastIndex}`);
    const entry = decodeEntry(record, logIndex(index));
    if (!entry.ok) return entry;
    if (entry.value.term < lastTerm(log)) {
      return err(`the term goes back from ${lastTerm(log)} to ${entry.value.term} at entry ${index}`);
    }
    log = extendLog(log, entry.value.term, 1);
  }
  const defect = findContradiction(state, log);
  return defect === undefined ? ok(log) : err(defect);
}

/** The state record is written with the entries, so the two must agree exactly. */
function findContradiction(state: LogState, log: LogShape): string | undefined {
  const { term, commit } = state.hardState;
  if (log.lastIndex !== state.lastIndex) {
    return `the log ends at entry ${log.lastIndex}, but entry ${state.lastIndex} was acknowledged as its last`;
  }
  if (term < lastTerm(log)) return `the member's term ${term} is behind term ${lastTerm(log)} of its last entry`;
  if (commit > log.lastIndex) return `entry ${commit} was committed, but the log ends at entry ${log.lastIndex}`;
  return undefined;
}
