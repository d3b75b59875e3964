/**
 * What a linearizable read waits for: an index that covers everything acknowledged before
 * the read began, then the own state up to there. One question to the log answers all
 * readers who came before it was asked.
 */
import type { LogIndex } from "../../base/brand.ts";
import type { Fault } from "../../core/domain/errors.ts";
import { LatticeError } from "../../core/domain/errors.ts";
import type { Clock } from "../../ports/clock.ts";

/** Longer than an election takes; a reader waits no longer. */
const WAIT_MAX_MS = 4_000;

const TOO_LATE: Fault = {
  reason: "NO_QUORUM",
  message: "this server cannot confirm that its state is the latest",
  next: "repeat it, ask another server, or accept stale data with the header x-lattice-consistency: stale",
  retryAfterMs: 500,
};

interface Waiter {
  readonly index: LogIndex;
  readonly done: () => void;
}

/** What a barrier works with. */
export interface ReadBarrierParts {
  readonly clock: Clock;
  /** Returns an index that the state must reach. @throws LatticeError NO_QUORUM. */
  readonly readIndex: () => Promise<LogIndex>;
  readonly applied: () => LogIndex;
}

export class ReadBarrier {
  readonly #parts: ReadBarrierParts;
  /** The question that is being asked: who comes later must not take its answer. */
  #asking: Promise<LogIndex> | undefined;
  #next: Promise<LogIndex> | undefined;
  readonly #waiters = new Set<Waiter>();

  constructor(parts: ReadBarrierParts) {
    this.#parts = parts;
  }

  /** Resolves when the state holds what was acknowledged before the call. @throws LatticeError NO_QUORUM. */
  async wait(): Promise<void> {
    const late = Promise.withResolvers<never>();
    const cancel = this.#parts.clock.after(WAIT_MAX_MS, () => late.reject(new LatticeError(TOO_LATE)));
    try {
      await this.#reach(late.promise);
    } finally {
      cancel();
    }
  }

  /** The state has moved on. */
  onApplied(index: LogIndex): void {
    for (const waiter of this.#waiters) if (waiter.index <= index) waiter.done();
  }

  async #reach(late: Promise<never>): Promise<void> {
    const index = await Promise.race([this.#index(), late]);
    if (index <= this.#parts.applied()) return;
    const reached = Promise.withResolvers<void>();
    const waiter = { index, done: reached.resolve };
    this.#waiters.add(waiter);
    try {
      await Promise.race([reached.promise, late]);
    } finally {
      this.#waiters.delete(waiter);
    }
  }

  #index(): Promise<LogIndex> {
    if (!this.#asking) return this.#ask();
    this.#next ??= this.#asking
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#ask();
      });
    return this.#next;
  }

  #ask(): Promise<LogIndex> {
    const asking = this.#parts.readIndex().finally(() => {
      if (this.#asking === asking) this.#asking = undefined;
    });
    this.#asking = asking;
    return asking;
  }
}
