/** Shows that an array's indices are counted and found without listing them. */
import { expect, test } from "bun:test";
import { hasIndex, indexAt, rangeSize } from "../../../../src/core/domain/task-group.ts";

const RANGES = [
  { start: 0, end: 9, step: 3 },
  { start: 20, end: 21, step: 1 },
];

test("a range counts its two ends and its step", () => {
  expect(rangeSize({ start: 1, end: 1_000_000, step: 1 })).toBe(1_000_000);
  expect(rangeSize({ start: 0, end: 10, step: 3 })).toBe(4);
  expect(rangeSize({ start: 5, end: 5, step: 7 })).toBe(1);
});

test("the n-th task is found across ranges, and none past the end", () => {
  expect([0, 1, 2, 3, 4, 5].map((n) => indexAt(RANGES, n))).toEqual([0, 3, 6, 9, 20, 21]);
  expect(indexAt(RANGES, 6)).toBeUndefined();
});

test("an index belongs to the array when a range steps on it", () => {
  expect([0, 3, 9, 20, 21].every((index) => hasIndex(RANGES, index))).toBe(true);
  expect([1, 10, 19, 22].some((index) => hasIndex(RANGES, index))).toBe(false);
});
