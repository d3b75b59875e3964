/** The clock and entropy ports over the real system. */
import { randomInt, randomUUID } from "node:crypto";
import { millis } from "../base/brand.ts";
import type { Clock, Entropy } from "../ports/clock.ts";

export const systemClock: Clock = {
  now: () => millis(Date.now()),
  monotonic: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
  every(periodMs, callback) {
    const timer = setInterval(callback, periodMs);
    return () => clearInterval(timer);
  },
};

/** Random choices from the system. */
export const systemEntropy: Entropy = { uuid: () => randomUUID() };

/** Returns a seed that no other process has, nearly surely. */
export const randomSeed = (): number => randomInt(2 ** 32);
