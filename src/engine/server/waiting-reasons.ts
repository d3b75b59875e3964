/**
 * Why allocations wait, for those who ask, on any server. Working it out costs a whole pass
 * with its explanations, so the scheduler's own passes leave them out and an answer is
 * shared by whoever asks soon after.
 */
import type { Millis } from "../../base/brand.ts";
import { millis } from "../../base/brand.ts";
import type { StartEstimate } from "../../core/domain/detail.ts";
import type { AllocationId } from "../../core/domain/ids.ts";
import type { Reason } from "../../core/domain/reason.ts";
import type { PendingView } from "../../core/domain/view.ts";
import { estimateStart, explainHead, plan, planHead } from "../../core/scheduler/plan.ts";
import { headNow, positionIn } from "../../core/scheduler/score/ranking.ts";
import type { LoopParts } from "./loop-parts.ts";
import { lengthRatiosOf } from "./scheduling/length-ratios.ts";

/** After so long others have their turn. */
const SLICE_MS = 5;
/** Of the time, at most a fifth is spent on explanations. */
const REST_RATIO = 4;

/** Why an allocation waits, and for how long. */
export interface Explained {
  readonly reasons: readonly Reason[];
  readonly position: number;
  readonly start?: StartEstimate;
}

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

  /** Returns why an allocation waits, its place in the queue and when it starts, worked out now; undefined when it is not in the queue. */
  async explain(allocation: AllocationId): Promise<Explained | undefined> {
    const { rankings, clock, settings } = this.#parts;
    const ranking = rankings.head() ? rankings.recent() : undefined;
    const used = ranking ?? (await rankings.renew());
    const { policy } = settings;
    const sources = rankings.sources();
    const pending = sources.queue.get(allocation);
    const head = headNow(sources, policy, used);
    if (!pending || !head) return undefined;
    const position = positionIn(sources, used, pending);
    const now = clock.now();
    const { startsBy, reasons } = explainHead(sources.view, policy, { now, head, pending, position });
    const before = head.slice(0, head.indexOf(pending) + 1);
    const start = reasons.length > 0 && before.length > 0 ? await this.#start(before, startsBy) : undefined;
    return { reasons, position, ...(start && { start }) };
  }

  /** Others have their turn between the passes that this takes. */
  async #start(head: readonly PendingView[], promised: Millis | undefined): Promise<StartEstimate | undefined> {
    const { rankings, clock, settings, replica } = this.#parts;
    const ratios = lengthRatiosOf(replica.state);
    let begun = clock.monotonic();
    const estimate = async (lengthRatio: number): Promise<Millis | undefined> => {
      if (clock.monotonic() - begun >= SLICE_MS) {
        await new Promise<void>((resume) => clock.after(0, resume));
        begun = clock.monotonic();
      }
      return estimateStart(rankings.sources().view, settings.policy, { now: clock.now(), head, lengthRatio });
    };
    const by = promised ?? (await estimate(1));
    if (by === undefined) return undefined;
    const likely = ratios && (await estimate(ratios.median));
    const earliest = ratios && (await estimate(ratios.shortest));
    return {
      by,
      isPromised: promised !== undefined,
      ...(likely !== undefined && { likely: millis(Math.min(by, likely)) }),
      ...(earliest !== undefined && { earliest: millis(Math.min(by, likely ?? by, earliest)) }),
    };
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
    const { replica, clock, settings, rankings } = this.#parts;
    const { policy } = settings;
    this.#begunAt = clock.monotonic();
    this.#index = replica.applied;
    const { view } = rankings.sources();
    const head = rankings.head();
    const now = clock.now();
    this.#reasons = (head ? planHead(view, policy, { now, head }) : plan(view, policy, now)).reasons;
    // Whoever asks next need not wait for a long queue to be ranked.
    if (!head) void rankings.renew();
    this.#tookMs = clock.monotonic() - this.#begunAt;
  }
}
