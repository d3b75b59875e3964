/** Time, timers and randomness, so that the loops can run against a fake world. */
import type { Millis } from "../base/brand.ts";

/** Cancels a timer; calling it again does nothing. */
export type CancelTimer = () => void;

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): Millis;
  /** Milliseconds since some moment in the past; never jumps, and counts while the process is stopped. */
  monotonic(): number;
  /** Calls back once after `delayMs`. */
  after(delayMs: number, callback: () => void): CancelTimer;
  /** Calls back every `periodMs`, never twice at the same time. */
  every(periodMs: number, callback: () => void): CancelTimer;
}

/** Random choices of the proposer. */
export interface Entropy {
  /** A random UUID (version 4). */
  uuid(): string;
}
