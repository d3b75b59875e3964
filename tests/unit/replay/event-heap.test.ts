/** Shows that events come back by time, and those of equal time in the order in which they were put in. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { EventHeap } from "../../../src/replay/event-heap.ts";
import { holds } from "../../fixtures/property-runs.ts";

test("what is put in comes out sorted, and the sort is stable", () => {
  holds(
    fc.property(fc.array(fc.integer({ min: 0, max: 9 })), (times) => {
      const heap = new EventHeap<readonly [number, number]>();
      for (const [i, at] of times.entries()) heap.push(at, [at, i]);
      const out = times.map(() => heap.pop());
      const sorted = times.map((at, i) => [at, i] as const).toSorted(([a, i], [b, j]) => a - b || i - j);
      expect(out).toEqual(sorted);
      expect([heap.pop(), heap.earliest]).toEqual([undefined, Number.POSITIVE_INFINITY]);
    }),
  );
});

test("the earliest is known while others come and go", () => {
  const heap = new EventHeap<string>();
  heap.push(5, "five");
  heap.push(3, "three");
  expect([heap.earliest, heap.pop()]).toEqual([3, "three"]);
  heap.push(4, "four");
  expect([heap.earliest, heap.pop(), heap.pop()]).toEqual([4, "four", "five"]);
});
