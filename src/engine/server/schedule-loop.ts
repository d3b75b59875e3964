/**
 * When to plan: soon after anything that may change the answer, and every cycle besides.
 * A cycle ranks the queue; events in between go by that ranking, and what only came to the
 * queue is tried without the rest of it. Deciding is `decideHead`; this loop waits,
 * debounces and proposes. Why the rest waits is worked out for those who ask: waiting-reasons.ts.
 */
import type { AllocationId } from "../../core/domain/ids.ts";
import type { Decision, PendingView } from "../../core/domain/view.ts";
import { decideHead, hasOpenNode } from "../../core/scheduler/plan.ts";
import { startHolders } from "../../core/scheduler/preempt.ts";
import { amongBlockers } from "../../core/scheduler/score/ranking.ts";
import type { StateEvent } from "../../core/state/events.ts";
import type { CancelTimer } from "../../ports/clock.ts";
import type { LoopParts } from "./loop-parts.ts";
import { SYSTEM } from "./replica.ts";
import { proposePreemption } from "./scheduling/preemption.ts";

/** Long enough to gather a burst, short enough that nobody notices. */
const DEBOUNCE_MS = 2;
/** Of the time, at most half is spent planning. */
const REST_RATIO = 1;

export class ScheduleLoop {
  readonly #parts: LoopParts;
  #timer: CancelTimer | undefined;
  #cycle: CancelTimer | undefined;
  #isPlanning = false;
  #wanted: Cause = "nothing";
  /** What the last pass left: who holds others back, by a promised start or without one, and how many had come to the queue by then. */
  #left: { readonly blockers: readonly AllocationId[]; readonly arrivals: number } | undefined;
  #restMs = 0;

  constructor(parts: LoopParts) {
    this.#parts = parts;
  }

  start(): void {
    const { replica } = this.#parts;
    replica.listen({
      onEvents: (events) => {
        const cause = events.map(causeOf).reduce(graver, "nothing");
        if (cause !== "nothing") this.wake(cause);
      },
      onReplaced: () => this.wake("cycle"),
      onRole: () => this.wake("cycle"),
    });
    this.beginCycles();
  }

  /** Plans now, and every so often from now on as the settings say. */
  beginCycles(): void {
    const { clock, settings } = this.#parts;
    this.#cycle?.();
    this.#cycle = clock.every(settings.cycleIntervalMs, () => this.wake("cycle"));
    this.wake("cycle");
  }

  stop(): void {
    this.#timer?.();
    this.#cycle?.();
  }

  /** Asks for a pass soon. */
  wake(cause: Cause): void {
    this.#wanted = graver(this.#wanted, cause);
    if (this.#isPlanning || this.#timer) return;
    this.#timer = this.#parts.clock.after(Math.max(DEBOUNCE_MS, this.#restMs), () => {
      this.#timer = undefined;
      void this.#pass();
    });
  }

  async #pass(): Promise<void> {
    const { replica, log, metrics } = this.#parts;
    const cause = this.#wanted;
    this.#wanted = "nothing";
    if (!replica.isLeader) return;
    this.#isPlanning = true;
    try {
      const decisions = await this.#plan(cause);
      if (decisions.length > 0) {
        const placements = decisions.map(({ allocation, version, claims }) => ({ allocation, version, claims }));
        const output = await replica.propose({ kind: "assign-nodes", placements }, SYSTEM);
        const refused = output.kind === "assigned" ? output.refused : [];
        const accepted = placements.length - refused.length;
        metrics.count("lattice_scheduling_proposals_total", { result: "accepted" }, accepted);
        metrics.count("lattice_scheduling_proposals_total", { result: "refused" }, refused.length);
        if (refused.length > 0) {
          this.#left = undefined;
          log.debug("placements were refused", { refused });
        }
      }
      await proposePreemption(this.#parts);
    } catch (error) {
      log.warn("a scheduling pass failed", { error });
    } finally {
      this.#isPlanning = false;
    }
    if (this.#wanted !== "nothing") this.wake(this.#wanted);
  }

  async #plan(cause: Cause): Promise<readonly Decision[]> {
    const { replica, rankings, metrics, clock } = this.#parts;
    // Where nothing can start, nobody looks at the head: who comes need not be put in its place.
    const isOpen = hasOpenNode(rankings.sources().view);
    const head = isOpen && cause !== "cycle" ? rankings.head() : undefined;
    if (cause === "cycle" || (isOpen && !head)) await rankings.renew();
    if (!replica.isLeader) return [];
    const begun = clock.monotonic();
    const decisions = this.#decide(cause, head);
    const tookMs = clock.monotonic() - begun;
    this.#restMs = tookMs * REST_RATIO;
    metrics.observe("lattice_scheduling_cycle_duration_seconds", {}, tookMs / 1000);
    return decisions;
  }

  #decide(cause: Cause, known: readonly PendingView[] | undefined): readonly Decision[] {
    const { clock, settings, rankings } = this.#parts;
    const { view, queue } = rankings.sources();
    const held = startHolders(view, clock.now());
    const head = hasOpenNode(view) ? (known ?? rankings.head() ?? []) : [];
    if (head.length === 0) {
      this.#left = undefined;
      return held;
    }
    const { policy } = settings;
    const left = cause === "arrival" && policy.backfill !== "none" ? this.#left : undefined;
    const tried = left ? amongBlockers(head, left.blockers, queue.arrivedAfter(left.arrivals)) : head;
    const { decisions, reservations, blockers } = decideHead(view, policy, { now: clock.now(), head: tried });
    const promised = reservations.map(({ allocation }) => allocation);
    this.#left = { blockers: [...promised, ...blockers], arrivals: queue.arrivals };
    return [...held, ...decisions];
  }
}

/** Why a pass is wanted, the graver after the lesser: nothing, something came to the queue, nodes may have come free, all may have changed. */
const CAUSES = ["nothing", "arrival", "end", "cycle"] as const;
type Cause = (typeof CAUSES)[number];

const graver = (a: Cause, b: Cause): Cause => (CAUSES.indexOf(a) < CAUSES.indexOf(b) ? b : a);

/** Returns why a pass is wanted after the event. What left the queue may have held others back, as may what let go of nodes. */
function causeOf(event: StateEvent): Cause {
  switch (event.kind) {
    case "allocation-changed":
      if (event.to === "staging" || event.to === "running") return "nothing";
      return event.from === undefined && event.to === "pending" ? "arrival" : "end";
    case "node-changed":
      return "end";
    case "policy-changed":
      return "cycle";
    case "assignments-changed":
      return "nothing";
  }
}
