/** Shows that dialling again waits longer after each failure, within bounds, the same for the same seed. */
import { expect, test } from "bun:test";
import { createPrng } from "../../../../src/base/prng.ts";
import { DialBackOff } from "../../../../src/io/peer/back-off.ts";

test("delays double from 50 ms to 2 s, and at least half of each is waited", () => {
  const backOff = new DialBackOff(createPrng(1));
  for (const ceiling of [50, 100, 200, 400, 800, 1_600, 2_000, 2_000]) {
    const delay = backOff.next();
    expect(delay).toBeGreaterThanOrEqual(ceiling / 2);
    expect(delay).toBeLessThan(ceiling);
  }
});

test("after a good link the shortest delay comes first again", () => {
  const backOff = new DialBackOff(createPrng(1));
  for (let i = 0; i < 10; i++) backOff.next();
  backOff.reset();
  expect(backOff.next()).toBeLessThan(50);
});

test("equal seeds give equal delays, others do not", () => {
  const delays = (seed: number): readonly number[] => {
    const backOff = new DialBackOff(createPrng(seed));
    return Array.from({ length: 5 }, () => backOff.next());
  };
  expect(delays(3)).toEqual(delays(3));
  expect(delays(3)).not.toEqual(delays(4));
});
