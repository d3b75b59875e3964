/** Shows that a stream ends with its credential whatever its producer waits for, and leaves no timer behind otherwise. */
import { expect, test } from "bun:test";
import { onCredentialEnd, untilCredentialEnds } from "../../../../src/api/auth/credential-end.ts";
import { millis } from "../../../../src/base/brand.ts";
import type { Clock } from "../../../../src/ports/clock.ts";

/** A clock whose timers fire when they are told to. */
function aClock(now = 1_000) {
  const timers = new Map<() => void, number>();
  const clock: Clock = {
    now: () => millis(now),
    monotonic: () => now,
    after(delayMs, callback) {
      timers.set(callback, delayMs);
      return () => timers.delete(callback);
    },
    every: () => () => {},
  };
  const fire = () => {
    for (const callback of timers.keys()) callback();
  };
  return { clock, timers, fire };
}

async function* numbers(count: number, after: () => Promise<unknown> = async () => {}): AsyncIterable<number> {
  for (let i = 0; i < count; i++) yield i;
  await after();
}

const never = () => new Promise<never>(() => {});

test("a stream that ends before its credential is whole, and its timer goes", async () => {
  const { clock, timers } = aClock();
  expect(await Array.fromAsync(untilCredentialEnds(numbers(3), 5_000, clock))).toEqual([0, 1, 2]);
  expect(timers.size).toBe(0);
});

test("INV-A2 a stream whose producer is silent ends when the credential does", async () => {
  const { clock, timers, fire } = aClock();
  const stream = untilCredentialEnds(numbers(1, never), 5_000, clock)[Symbol.asyncIterator]();
  expect((await stream.next()).value).toBe(0);
  const next = stream.next();
  await Promise.resolve();
  expect([...timers.values()]).toEqual([4_000]);
  fire();
  expect(next).rejects.toThrow("the token of this stream has expired");
  await next.catch(() => {});
  expect(timers.size).toBe(0);
});

test("a stream whose reader was slow ends at the next message", async () => {
  const { clock, fire } = aClock();
  const stream = untilCredentialEnds(numbers(3), 5_000, clock)[Symbol.asyncIterator]();
  await stream.next();
  fire();
  expect(stream.next()).rejects.toThrow("has expired");
});

test("an error of the producer is the stream's", async () => {
  const { clock, timers } = aClock();
  const failing = numbers(1, async () => {
    throw new Error("gone");
  });
  const all = Array.fromAsync(untilCredentialEnds(failing, 5_000, clock));
  expect(all).rejects.toThrow("gone");
  await all.catch(() => {});
  expect(timers.size).toBe(0);
});

test("no credential, and one that outlasts every timer, end nothing; one that has ended ends at once", async () => {
  const { clock, timers } = aClock();
  expect(await Array.fromAsync(untilCredentialEnds(numbers(2), undefined, clock))).toEqual([0, 1]);
  onCredentialEnd(undefined, clock, () => {});
  onCredentialEnd(1_000 + 2 ** 31, clock, () => {});
  expect(timers.size).toBe(0);
  onCredentialEnd(500, clock, () => {});
  expect([...timers.values()]).toEqual([0]);
});
