/**
 * Ticks counted by the clock and not by timers: a process that was stopped, or a thread
 * that was busy, makes up for those it missed before it does anything else. So no lease
 * and no silence is taken for shorter than it is.
 */
import type { Clock } from "../../../ports/clock.ts";

export class RaftTicks {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #missedMax: number;
  readonly #startedAt: number;
  /** Ticks that have passed since the start. */
  #passed = 0;

  /** Starts counting. More than `missedMax` at once tell the core nothing more. */
  constructor(clock: Clock, tickMs: number, missedMax: number) {
    this.#clock = clock;
    this.#tickMs = tickMs;
    this.#missedMax = missedMax;
    this.#startedAt = clock.monotonic();
  }

  /** Returns how many have passed since it was asked last. */
  take(): number {
    const passed = Math.floor((this.#clock.monotonic() - this.#startedAt) / this.#tickMs);
    const missed = passed - this.#passed;
    this.#passed = passed;
    return Math.min(missed, this.#missedMax);
  }
}
