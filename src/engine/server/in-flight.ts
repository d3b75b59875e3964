/**
 * Proposals whose outcome a caller waits for. Each is settled once: with its outcome, or
 * with the news that the outcome is not known, which a repeat under the same idempotency
 * key finds out.
 */
import type { Fault } from "../../core/domain/errors.ts";
import { LatticeError } from "../../core/domain/errors.ts";
import type { Outcome, Output } from "../../core/state/commands.ts";

/** The log tells sooner what becomes of a proposal, as a rule; nobody waits for longer than this. */
const OUTCOME_TIMEOUT_MS = 5_000;

/** What a caller is told whose proposal may or may not have been stored. */
export const OUTCOME_UNKNOWN: Fault = {
  reason: "NO_QUORUM",
  message: "the leader of the servers was lost: whether the change was stored is not known",
  next: "repeat it with the same idempotency key: it is stored once",
  retryAfterMs: 500,
};

interface Waiting {
  /** On the monotonic clock. */
  readonly since: number;
  readonly resolve: (output: Output) => void;
  readonly reject: (error: LatticeError) => void;
}

/** The proposals of one server that are under way. */
export class InFlight {
  readonly #waiting = new Map<number, Waiting>();
  #sequence = 0;

  get size(): number {
    return this.#waiting.size;
  }

  /** Returns a number for a proposal made `now` (monotonic), and its outcome to come. */
  add(now: number): { readonly proposal: number; readonly output: Promise<Output> } {
    const { promise: output, resolve, reject } = Promise.withResolvers<Output>();
    const proposal = ++this.#sequence;
    this.#waiting.set(proposal, { since: now, resolve, reject });
    return { proposal, output };
  }

  /** Removes a proposal and returns how to tell its caller the outcome; undefined when nobody waits. */
  take(proposal: number): ((outcome: Outcome) => void) | undefined {
    const waiting = this.#waiting.get(proposal);
    if (!waiting) return undefined;
    this.#waiting.delete(proposal);
    return (outcome) => (outcome.ok ? waiting.resolve(outcome.value) : waiting.reject(new LatticeError(outcome.error)));
  }

  reject(proposals: Iterable<number>, cause: Fault): void {
    for (const proposal of proposals) this.take(proposal)?.({ ok: false, error: cause });
  }

  rejectAll(cause: Fault): void {
    this.reject([...this.#waiting.keys()], cause);
  }

  /** Gives up what has waited too long. */
  onTime(now: number): void {
    for (const [proposal, { since }] of this.#waiting) {
      if (now - since < OUTCOME_TIMEOUT_MS) break;
      this.reject([proposal], OUTCOME_UNKNOWN);
    }
  }
}
