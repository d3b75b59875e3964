/** Shows that merged streams give every item, each stream's own in order, and that a failure ends them all. */
import { expect, test } from "bun:test";
import { mergeStreams } from "../../../../../src/engine/server/operations/merge-streams.ts";

async function* numbers(from: number, count: number): AsyncIterable<number> {
  for (let n = from; n < from + count; n++) yield n;
}

test("every item comes, in the order of its stream", async () => {
  const seen: number[] = [];
  for await (const n of mergeStreams([numbers(0, 5), numbers(100, 3), numbers(200, 0)])) seen.push(n);
  expect(seen.filter((n) => n < 100)).toEqual([0, 1, 2, 3, 4]);
  expect(seen.filter((n) => n >= 100)).toEqual([100, 101, 102]);
});

test("a failure of one is the failure of all, and the others are closed", async () => {
  let isClosed = false;
  async function* endless(): AsyncIterable<number> {
    try {
      while (true) yield 1;
    } finally {
      isClosed = true;
    }
  }
  async function* broken(): AsyncIterable<number> {
    yield 1;
    throw new Error("broken");
  }
  const read = async () => {
    for await (const _ of mergeStreams([endless(), broken()]));
  };
  expect(read()).rejects.toThrow("broken");
  await read().catch(() => {});
  expect(isClosed).toBe(true);
});
