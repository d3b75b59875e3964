/**
 * A trace: what was submitted to a machine and how long it ran, whatever format it was
 * read from. Readers make it, the simulation replays it.
 */
import type { Millis } from "../base/brand.ts";
import type { Amount } from "../core/domain/resources.ts";

/** One submission of a trace. */
export interface TraceJob {
  /** As the trace names it; unique within it. */
  readonly name: string;
  /** Since the trace's own beginning of time. */
  readonly submittedAt: Millis;
  /** How long it runs if nothing ends it earlier; infinite when it stays. */
  readonly runMs: number;
  /** What the user said it would need at most; 0 when the trace does not say. */
  readonly walltimeMs: Millis;
  readonly nodes: number;
  /** A share of each node; absent for whole nodes. */
  readonly perNode?: Amount;
  /** Absent for any. */
  readonly gpuType?: string;
  /** Empty when the trace does not say. */
  readonly user: string;
  readonly tenant: string;
  readonly priority?: number;
}

/** A trace that was read, in the order of submission. */
export interface Trace {
  readonly jobs: readonly TraceJob[];
  /** What the file says of itself, by key. */
  readonly header: Readonly<Record<string, string>>;
  /** Lines left out, by why. */
  readonly skipped: Readonly<Record<string, number>>;
}

/** Counts what a reader leaves out. */
export class SkipCounts {
  readonly #counts = new Map<string, number>();

  /** Counts one more. */
  add(why: string): void {
    this.#counts.set(why, (this.#counts.get(why) ?? 0) + 1);
  }

  /** Returns the counts by why. */
  toRecord(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }
}
