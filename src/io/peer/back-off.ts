/**
 * How long to wait before dialling a server again: from 50 ms, doubling up to 2 s, half of
 * it random so that two servers do not keep dialling in step.
 */
import type { Prng } from "../../base/prng.ts";

const FIRST_MS = 50;
const LONGEST_MS = 2_000;

/** The delays after one failure and the next. */
export class DialBackOff {
  readonly #random: Prng;
  #ceilingMs = FIRST_MS;

  constructor(random: Prng) {
    this.#random = random;
  }

  /** Returns the next delay in milliseconds. */
  next(): number {
    const ceiling = this.#ceilingMs;
    this.#ceilingMs = Math.min(LONGEST_MS, ceiling * 2);
    return ceiling / 2 + (ceiling / 2) * this.#random();
  }

  /** Starts again from the shortest delay. */
  reset(): void {
    this.#ceilingMs = FIRST_MS;
  }
}
