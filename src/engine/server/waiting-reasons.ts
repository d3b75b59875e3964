/**
 * Why allocations wait, for those who ask, on any server. Working it out costs a whole pass
 * with its explanations, so the scheduler's own passes leave them out and an answer is
 * shared by whoever asks soon after.
 */
import type { AllocationId } from "../../core/domain/ids.ts";
import type { Reason } from "../../core/domain/reason.ts";
import { explain, plan } from "../../core/scheduler/plan.ts";
import { viewOf } from "../../core/state/view.ts";
import type { LoopParts } from "./loop-parts.ts";

/** Of the time, at most a fifth is spent on explanations. */
const REST_RATIO = 4;

export class WaitingReasons {
  readonly #parts: LoopParts;
  #reasons: ReadonlyMap<AllocationId, readonly Reason[]> = new Map();
  /** The index that the reasons are about; none yet. */
  #index = -1;
  #begunAt = 0;
  #tookMs = 0;

  constructor(parts: LoopParts) {
    this.#parts = parts;
  }

  /** Returns why an allocation waits, and its place in the queue, worked out now. */
  explain(allocation: AllocationId): { readonly reasons: readonly Reason[]; readonly position: number } | undefined {
    const { replica, clock, settings } = this.#parts;
    return explain(viewOf(replica.state), settings.policy, { now: clock.now(), allocation });
  }

  /** Returns why an allocation waits, as of some moment within the last cycle; empty when nothing keeps it. */
  of(allocation: AllocationId): readonly Reason[] {
    if (this.#isOld(allocation)) this.#renew();
    return this.#reasons.get(allocation) ?? [];
  }

  #isOld(allocation: AllocationId): boolean {
    const { replica, clock, settings } = this.#parts;
    const ageMs = clock.monotonic() - this.#begunAt;
    if (this.#index < 0 || ageMs >= settings.cycleIntervalMs) return true;
    const isMissing = !this.#reasons.has(allocation) && replica.applied > this.#index;
    return isMissing && ageMs > this.#tookMs * (1 + REST_RATIO);
  }

  #renew(): void {
    const { replica, clock, settings } = this.#parts;
    this.#begunAt = clock.monotonic();
    this.#index = replica.applied;
    this.#reasons = plan(viewOf(replica.state), settings.policy, clock.now()).reasons;
    this.#tookMs = clock.monotonic() - this.#begunAt;
  }
}
