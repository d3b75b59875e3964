/**
 * Shows that whatever happens to the records of a log, what is taken of it is a true part
 * of what was acknowledged, and what is missing is either owed by the member or a reason
 * to refuse: never forgotten.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { logIndex, term } from "../../src/base/brand.ts";
import { decodeMembership, votersOf } from "../../src/core/raft/membership.ts";
import type { Entry, Membership } from "../../src/core/raft/raft-types.ts";
import type { LogState } from "../../src/core/raft/record.ts";
import { encodeEntry } from "../../src/core/raft/record.ts";
import type { StoredRecord } from "../../src/core/raft/recovery.ts";
import { recoverLog } from "../../src/core/raft/recovery.ts";
import { holds } from "../fixtures/property-runs.ts";
import { aMembershipEntry, anEntry, votersWith } from "../fixtures/raft-entries.ts";

const SELF = 1;
const MEMBERSHIPS: readonly Membership[] = [votersWith(1), votersWith(1, 2), votersWith(1, 2, 3)];

interface Log {
  readonly state: LogState;
  readonly entries: readonly Entry[];
}

/** A log of up to 12 entries after a compacted part; a step is an entry that may raise the term or change the members. */
const aLog: fc.Arbitrary<Log> = fc
  .record({
    compacted: fc.integer({ min: 0, max: 3 }),
    base: fc.nat({ max: 2 }),
    steps: fc.array(fc.record({ raisesTerm: fc.boolean(), members: fc.option(fc.nat({ max: 2 }), { freq: 4 }) }), {
      maxLength: 12,
    }),
    commit: fc.double({ min: 0, max: 1, noNaN: true }),
    owed: fc.option(fc.nat({ max: 30 }), { freq: 3 }),
  })
  .map(({ compacted, base, steps, commit, owed }) => {
    const entries: Entry[] = [];
    let now = compacted === 0 ? 0 : 1;
    for (const { raisesTerm, members } of steps) {
      now += raisesTerm || now === 0 ? 1 : 0;
      const index = compacted + entries.length + 1;
      const membership = members === null ? undefined : MEMBERSHIPS[members];
      entries.push(membership ? aMembershipEntry(index, now, membership) : anEntry(index, now));
    }
    const lastIndex = logIndex(compacted + entries.length);
    const committed = logIndex(compacted + Math.floor(commit * entries.length));
    const state: LogState = {
      hardState: {
        ...{ term: term(now), votedFor: undefined, commit: committed },
        ...(owed !== null && owed > 0 && { recoverUntil: logIndex(owed) }),
      },
      compactedIndex: logIndex(compacted),
      compactedTerm: term(compacted === 0 ? 0 : 1),
      lastIndex,
      membership: { index: logIndex(0), membership: MEMBERSHIPS[base] ?? votersWith(1) },
    };
    return { state, entries };
  });

/** What can happen to the records: a bit changes, one is lost, one lies in another's place, the end is lost. */
const damage = fc.array(
  fc.record({
    kind: fc.constantFrom("flip", "lose", "misplace", "cut"),
    at: fc.nat({ max: 11 }),
    byte: fc.nat({ max: 999 }),
  }),
  { maxLength: 3 },
);

function harm(records: readonly StoredRecord[], kind: string, at: number, byte: number): readonly StoredRecord[] {
  const target = records[at % Math.max(1, records.length)];
  if (target === undefined) return records;
  const other = records[byte % records.length] ?? target;
  switch (kind) {
    case "lose":
      return records.filter((record) => record !== target);
    case "cut":
      return records.slice(0, records.indexOf(target));
    case "misplace":
      return records.map((record) => (record === target ? { ...target, record: other.record } : record));
    default: {
      const place = byte % target.record.length;
      const flipped = target.record.with(place, (target.record[place] ?? 0) ^ 0x10);
      return records.map((record) => (record === target ? { ...target, record: flipped } : record));
    }
  }
}

test("INV-D1: what is left of a damaged log is true, and what is missing is owed or refused", () => {
  holds(
    fc.property(aLog, damage, ({ state, entries }, blows) => {
      const whole = entries.map((entry) => ({ index: Number(entry.index), record: encodeEntry(entry) }));
      let records: readonly StoredRecord[] = whole;
      for (const { kind, at, byte } of blows) records = harm(records, kind, at, byte);
      const isWhole = Bun.deepEquals(records, whole);
      const result = recoverLog(SELF, state, records);
      if (isWhole) expect(result).toMatchObject({ ok: true, value: { hardState: state.hardState } });
      if (!result.ok) return;
      const { shape, hardState, memberships, damage: found } = result.value;
      const kept = shape.lastIndex - shape.compactedIndex;
      expect(Bun.deepEquals(records.slice(0, kept), whole.slice(0, kept))).toBe(true);
      expect(hardState.commit).toBeLessThanOrEqual(shape.lastIndex);
      expect(hardState.term).toBe(state.hardState.term);
      const membershipEntries = entries.slice(0, kept).filter((entry) => entry.kind === "membership");
      expect(memberships).toEqual([
        state.membership,
        ...membershipEntries.map(({ index, data }) => ({ index, membership: decodeMembership(data) })),
      ]);
      expect(found === undefined).toBe(isWhole);
      if (isWhole) return;
      expect(Number(hardState.recoverUntil)).toBe(Math.max(state.lastIndex, state.hardState.recoverUntil ?? 0));
      const known = [
        state.membership.membership,
        ...entries.flatMap((e) => (e.kind === "membership" ? [decodeMembership(e.data)] : [])),
      ];
      expect(known.some((membership) => votersOf(membership).some((id) => id !== SELF))).toBe(true);
    }),
  );
});
