/**
 * Shows that a sound log is taken as it is, that a damaged one is cut where other voters
 * can fill it again, and each reason for which a log is refused.
 */
import { describe, expect, test } from "bun:test";
import { logIndex, term } from "../../../../src/base/brand.ts";
import { NO_MEMBERS } from "../../../../src/core/raft/membership.ts";
import type { Entry, Membership } from "../../../../src/core/raft/raft-types.ts";
import { encodeEntry, type LogState } from "../../../../src/core/raft/record.ts";
import { recoverLog } from "../../../../src/core/raft/recovery.ts";
import { aMembershipEntry, anEntry, entriesOf, votersWith } from "../../../fixtures/raft-entries.ts";

const ofMembers = (membership: Membership) => ({ index: logIndex(0), membership });
const state = (lastIndex: number, fields: Partial<LogState> = {}): LogState => ({
  hardState: { term: term(5), votedFor: 1, commit: logIndex(0) },
  compactedIndex: logIndex(0),
  compactedTerm: term(0),
  lastIndex: logIndex(lastIndex),
  membership: ofMembers(votersWith(1)),
  ...fields,
});
const THREE = { membership: ofMembers(votersWith(1, 2, 3)) };
const stored = (entries: readonly Entry[]) => entries.map((e) => ({ index: Number(e.index), record: encodeEntry(e) }));
const flip = (index: number, entries: readonly Entry[]) =>
  stored(entries).map((r) => (r.index === index ? { ...r, record: r.record.with(20, 255) } : r));
const refusal = (loaded: LogState, entries: readonly Entry[]) => {
  const result = recoverLog(1, loaded, stored(entries));
  return result.ok ? undefined : result.error;
};
/** Says where a log was cut, what is left committed, and up to where it must be filled again. */
const cut = (loaded: LogState, records: ReturnType<typeof stored>) => {
  const result = recoverLog(1, loaded, records);
  if (!result.ok) return `refused: ${result.error}`;
  const { hardState, shape, damage } = result.value;
  if (!damage) return "sound";
  expect(damage.from).toBe(logIndex(shape.lastIndex + 1));
  return `from ${damage.from}, commit ${hardState.commit}, until ${hardState.recoverUntil}`;
};

describe("a sound log", () => {
  test("is taken with its terms and memberships", () => {
    const three = votersWith(1, 2, 3);
    const entries = [...entriesOf(1, 4, 1), aMembershipEntry(5, 3, three), anEntry(6, 3)];
    const result = recoverLog(1, state(6), stored(entries));
    expect(result.ok && result.value).toEqual({
      hardState: state(6).hardState,
      shape: {
        ...{ compactedIndex: logIndex(0), compactedTerm: term(0), lastIndex: logIndex(6) },
        runs: [
          { term: term(1), first: logIndex(1) },
          { term: term(3), first: logIndex(5) },
        ],
      },
      memberships: [ofMembers(votersWith(1)), { index: logIndex(5), membership: three }],
    });
  });

  test("may be empty, from the start or by compaction", () => {
    expect(recoverLog(1, state(0), []).ok).toBe(true);
    expect(recoverLog(1, state(9, { compactedIndex: logIndex(9), compactedTerm: term(4) }), []).ok).toBe(true);
  });
});

describe("a log whose entries other voters hold", () => {
  test("is cut at the first damaged, missing or misplaced entry", () => {
    expect(cut(state(4, THREE), flip(3, entriesOf(1, 4, 1)))).toBe("from 3, commit 0, until 4");
    expect(cut(state(4, THREE), flip(1, entriesOf(1, 4, 1)))).toBe("from 1, commit 0, until 4");
    expect(cut(state(4, THREE), stored([anEntry(1, 1), anEntry(3, 1), anEntry(4, 1)]))).toBe(
      "from 2, commit 0, until 4",
    );
    expect(cut(state(4, THREE), stored(entriesOf(1, 2, 1)))).toBe("from 3, commit 0, until 4");
    expect(cut(state(3, THREE), stored([anEntry(1, 3), anEntry(2, 3), anEntry(3, 2)]))).toBe(
      "from 3, commit 0, until 3",
    );
    const compacted = state(6, { ...THREE, compactedIndex: logIndex(4), compactedTerm: term(1) });
    expect(cut(compacted, stored(entriesOf(4, 6, 1)))).toBe("from 5, commit 0, until 6");
  });

  test("forgets no more of what was committed than it must, and remembers an earlier damage", () => {
    const committed = (commit: number, recoverUntil?: number) =>
      state(5, {
        ...THREE,
        hardState: {
          ...{ term: term(5), votedFor: 1, commit: logIndex(commit) },
          ...(recoverUntil !== undefined && { recoverUntil: logIndex(recoverUntil) }),
        },
      });
    const records = flip(4, entriesOf(1, 5, 1));
    expect(cut(committed(2), records)).toBe("from 4, commit 2, until 5");
    expect(cut(committed(5), records)).toBe("from 4, commit 3, until 5");
    expect(cut(committed(5, 90), records)).toBe("from 4, commit 3, until 90");
    expect(cut(committed(5, 4), records)).toBe("from 4, commit 3, until 5");
  });

  test("is known by the newest membership, also one behind the damage", () => {
    const joined = [...entriesOf(1, 2, 1), aMembershipEntry(3, 1, votersWith(1, 2))];
    expect(cut(state(3), flip(2, joined))).toBe("from 2, commit 0, until 3");
    const left = [...entriesOf(1, 2, 1), aMembershipEntry(3, 1, votersWith(1))];
    expect(cut(state(3, THREE), flip(2, left))).toBe("refused: entry 2 is damaged: its checksum does not match");
    const notYet = state(3, { membership: ofMembers(NO_MEMBERS) });
    expect(cut(notYet, flip(2, entriesOf(1, 3, 1)))).toStartWith("refused: entry 2 is damaged");
  });

  test("is refused all the same where its state contradicts it", () => {
    expect(refusal(state(1, THREE), [anEntry(1, 6)])).toBe("the member's term 5 is behind term 6 of its last entry");
    expect(refusal(state(2, THREE), entriesOf(1, 3, 1))).toBe(
      "the log ends at entry 3, but entry 2 was acknowledged as its last",
    );
  });
});

describe("the log of a sole voter is refused when it", () => {
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
    expect(recoverLog(1, state(3), flip(2, entriesOf(1, 3, 1)))).toEqual({
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
