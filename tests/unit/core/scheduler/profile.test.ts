/** Shows that a profile counts idle nodes over time as a list of counts, one a second, would. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Profile } from "../../../../src/core/scheduler/profile.ts";
import { createProfile, earliestFit, leastFree, takeSpan } from "../../../../src/core/scheduler/profile.ts";
import { holds } from "../../../fixtures/property-runs.ts";

const HORIZON = 60;
const EVER = Number.POSITIVE_INFINITY;

const releases = fc.array(fc.record({ at: fc.integer({ min: 1, max: 20 }), count: fc.integer({ min: 1, max: 4 }) }), {
  maxLength: 8,
});
const spans = fc.array(
  fc.record({
    from: fc.integer({ min: 0, max: 20 }),
    length: fc.integer({ min: 1, max: 15 }),
    count: fc.integer({ min: 1, max: 4 }),
  }),
  { maxLength: 8 },
);

/** The profile and the plain list that it stands for. */
function both(
  idle: number,
  all: readonly { at: number; count: number }[],
  taken: typeof spans extends fc.Arbitrary<infer T> ? T : never,
) {
  const profile = createProfile(0, idle, all);
  const list = Array.from({ length: HORIZON }, (_, t) =>
    all.reduce((sum, { at, count }) => sum + (at <= t ? count : 0), idle),
  );
  for (const { from, length, count } of taken) {
    const until = from + length;
    if (Math.min(...list.slice(from, until)) < count) continue;
    takeSpan(profile, { from, until, count });
    for (let t = from; t < until; t++) list[t] = (list[t] ?? 0) - count;
  }
  return { profile, list };
}

test("the least number over a span is that of the list", () => {
  holds(
    fc.property(fc.nat({ max: 4 }), releases, spans, (idle, all, taken) => {
      const { profile, list } = both(idle, all, taken);
      for (let from = 0; from < 40; from += 3) {
        for (const until of [from + 1, from + 7, HORIZON]) {
          expect(leastFree(profile, from, until)).toBe(Math.min(...list.slice(from, until)));
        }
      }
    }),
  );
});

test("the earliest fit is the first second from which the list has enough throughout", () => {
  holds(
    fc.property(fc.nat({ max: 4 }), releases, spans, fc.integer({ min: 1, max: 6 }), (idle, all, taken, count) => {
      const { profile, list } = both(idle, all, taken);
      for (const length of [1, 4, 12]) {
        const starts = list.slice(0, 45).map((_, t) => Math.min(...list.slice(t, t + length)) >= count);
        const expected = starts.indexOf(true);
        expect(earliestFit(profile, count, length) ?? -1).toBe(expected);
      }
    }),
  );
});

describe("a span without end", () => {
  const profile = (): Profile =>
    createProfile(0, 1, [
      { at: 5, count: 2 },
      { at: EVER, count: 3 },
    ]);

  test("fits only where enough is idle for ever", () => {
    expect(earliestFit(profile(), 3, EVER)).toBe(5);
    expect(earliestFit(profile(), 4, EVER)).toBeUndefined();
  });

  test("takes nodes for ever", () => {
    const taken = profile();
    takeSpan(taken, { from: 5, until: EVER, count: 2 });
    expect([leastFree(taken, 0, 5), leastFree(taken, 5, EVER), earliestFit(taken, 2, 1)]).toEqual([1, 1, undefined]);
  });
});

test("taking more than there will be is a bug that is found at once", () => {
  expect(() => takeSpan(createProfile(0, 1, []), { from: 0, until: 9, count: 2 })).toThrow("more nodes are promised");
});
