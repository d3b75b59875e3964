/** Shows each reason for which a loaded log is not trusted, and that a sound one is taken as it is. */
import { describe, expect, test } from "bun:test";
import { logIndex, term } from "../../../../src/base/brand.ts";
import type { Entry } from "../../../../src/core/raft/raft-types.ts";
import { encodeEntry, type LogState } from "../../../../src/core/raft/record.ts";
import { recoverLog } from "../../../../src/core/raft/recovery.ts";
import { anEntry, entriesOf } from "../../../fixtures/raft-entries.ts";

const state = (lastIndex: number, fields: Partial<LogState> = {}): LogState => ({
  hardState: { term: term(5), votedFor: 1, commit: logIndex(0) },
  compactedIndex: logIndex(0),
  compactedTerm: term(0),
  lastIndex: logIndex(lastIndex),
  ...fields,
});
const stored = (entries: readonly Entry[]) => entries.map((e) => ({ index: Number(e.index), record: encodeEntry(e) }));
const refusal = (loaded: LogState, entries: readonly Entry[]) => {
  const result = recoverLog(loaded, stored(entries));
  return result.ok ? undefined : result.error;
};

describe("a sound log", () => {
  test("is taken with its terms", () => {
    const result = recoverLog(state(6), stored([...entriesOf(1, 4, 1), ...entriesOf(5, 6, 3)]));
    expect(result.ok && result.value.runs).toEqual([
      { term: term(1), first: logIndex(1) },
      { term: term(3), first: logIndex(5) },
    ]);
  });

  test("may be empty, from the start or by compaction", () => {
    expect(recoverLog(state(0), []).ok).toBe(true);
    expect(recoverLog(state(9, { compactedIndex: logIndex(9), compactedTerm: term(4) }), []).ok).toBe(true);
  });
});

describe("a log that is refused", () => {
  test("lacks an entry", () => {
    expect(refusal(state(3), [anEntry(1, 1), anEntry(3, 1)])).toBe("entry 2 is missing: entry 3 comes next");
    expect(refusal(state(3), entriesOf(2, 3, 1))).toBe("entry 1 is missing: entry 2 comes next");
  });

  test("ends before its last acknowledged entry, or after it", () => {
    const error = "the log ends at entry 3, but entry 4 was acknowledged as its last";
    expect(refusal(state(4), entriesOf(1, 3, 1))).toBe(error);
    expect(refusal(state(2), entriesOf(1, 3, 1))).toContain("entry 2 was acknowledged as its last");
  });

  test("holds an entry that was compacted away", () => {
    const compacted = state(6, { compactedIndex: logIndex(4), compactedTerm: term(1) });
    expect(refusal(compacted, entriesOf(4, 6, 1))).toBe("entry 4 is stored although the log was compacted up to 4");
  });

  test("goes back in term", () => {
    expect(refusal(state(2), [anEntry(1, 3), anEntry(2, 2)])).toBe("the term goes back from 3 to 2 at entry 2");
    const compacted = state(5, { compactedIndex: logIndex(4), compactedTerm: term(4) });
    expect(refusal(compacted, [anEntry(5, 2)])).toBe("the term goes back from 4 to 2 at entry 5");
  });

  test("has a damaged entry", () => {
    const records = stored(entriesOf(1, 3, 1));
    const damaged = records.map((r) => (r.index === 2 ? { ...r, record: r.record.with(20, 255) } : r));
    expect(recoverLog(state(3), damaged)).toEqual({
      ok: false,
      error: "entry 2 is damaged: its checksum does not match",
    });
  });

  test("is ahead of its member's term or behind its commit", () => {
    expect(refusal(state(1), [anEntry(1, 6)])).toBe("the member's term 5 is behind term 6 of its last entry");
    const hardState = { term: term(5), votedFor: 1, commit: logIndex(2) };
    expect(refusal(state(1, { hardState }), [anEntry(1, 1)])).toBe(
      "entry 2 was committed, but the log ends at entry 1",
    );
  });
});
