/** The link's parts that need no network: the order of an outbox, the bounds of a back-off. */
import { expect, test } from "bun:test";
import { BackOff } from "../../../../src/io/agent-link/back-off.ts";
import { Outbox } from "../../../../src/io/agent-link/outbox.ts";

test("an outbox gives what was pushed, in order, and ends after the last", async () => {
  const outbox = new Outbox<number>();
  outbox.push(1);
  const seen: number[] = [];
  const reader = (async () => {
    for await (const n of outbox) seen.push(n);
  })();
  await Promise.resolve();
  outbox.push(2);
  outbox.push(3);
  await Promise.resolve();
  outbox.close();
  outbox.push(4);
  await reader;
  expect(seen).toEqual([1, 2, 3]);
});

test("delays double up to a bound, a refusal waits long, a success begins again", () => {
  const backOff = new BackOff();
  const delays = Array.from({ length: 8 }, () => backOff.next(0.999, false));
  expect(delays.slice(0, 3).map(Math.round)).toEqual([200, 400, 800]);
  expect(Math.max(...delays)).toBeLessThanOrEqual(5_000);
  expect(backOff.next(0, true)).toBe(15_000);
  backOff.reset();
  expect(backOff.next(0, false)).toBe(100);
});
