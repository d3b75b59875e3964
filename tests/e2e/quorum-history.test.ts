/** Shows that the check of a register's history finds what it is there to find: planted stale reads, lost and repeated writes. */
import { expect, test } from "bun:test";
import { breaches, type Operation } from "./quorum-history.ts";

const op = (kind: Operation["kind"], version: number, [beganMs, endedMs]: readonly [number, number]): Operation => ({
  kind,
  server: 1,
  value: version * 10,
  version,
  beganMs,
  endedMs,
});

test("a history in order has no breach, whatever overlaps", () => {
  const history = [op("write", 1, [0, 10]), op("write", 2, [5, 20]), op("read", 1, [8, 12]), op("read", 2, [6, 9])];
  expect(breaches([...history, op("read", 2, [21, 22])])).toEqual([]);
});

test("a read that shows less than a write that had ended is found", () => {
  expect(breaches([op("write", 1, [0, 1]), op("write", 2, [2, 3]), op("read", 1, [4, 5])])).toHaveLength(1);
});

test("a read that goes back behind another read is found", () => {
  const history = [op("write", 1, [0, 1]), op("write", 2, [2, 30]), op("read", 2, [4, 5]), op("read", 1, [6, 7])];
  expect(breaches(history)).toHaveLength(1);
});

test("a write that stands before one that had ended is found", () => {
  expect(breaches([op("write", 5, [0, 1]), op("write", 4, [2, 3])])).toHaveLength(1);
});

test("a value that was never written so is found, and a version given twice", () => {
  const wrong = { ...op("read", 1, [2, 3]), value: 11 };
  expect(breaches([op("write", 1, [0, 1]), wrong])).toHaveLength(1);
  expect(breaches([op("write", 1, [0, 5]), op("write", 1, [0, 5])])).toHaveLength(1);
});
