/**
 * When to plan: soon after anything that may change the answer, and every cycle besides.
 * Deciding is `decide`; this loop waits, debounces and proposes. Why the rest waits is
 * worked out for those who ask: waiting-reasons.ts.
 */
import type { Decision } from "../../core/domain/view.ts";
import { decide } from "../../core/scheduler/plan.ts";
import type { StateEvent } from "../../core/state/events.ts";
import { viewOf } from "../../core/state/view.ts";
import type { CancelTimer } from "../../ports/clock.ts";
import type { LoopParts } from "./loop-parts.ts";
import { SYSTEM } from "./replica.ts";

/** Long enough to gather a burst, short enough that nobody notices. */
const DEBOUNCE_MS = 2;
/** Of the time, at most half is spent planning. */
const REST_RATIO = 1;

export class ScheduleLoop {
  readonly #parts: LoopParts;
  #timer: CancelTimer | undefined;
  #cycle: CancelTimer | undefined;
  #isPlanning = false;
  #isWanted = false;
  #restMs = 0;

  constructor(parts: LoopParts) {
    this.#parts = parts;
  }

  start(): void {
    const { replica } = this.#parts;
    replica.listen({
      onEvents: (events) => {
        if (events.some(mayChangePlan)) this.wake();
      },
      onReplaced: () => this.wake(),
      onRole: () => this.wake(),
    });
    this.beginCycles();
  }

  /** Plans now, and every so often from now on as the settings say. */
  beginCycles(): void {
    const { clock, settings } = this.#parts;
    this.#cycle?.();
    this.#cycle = clock.every(settings.cycleIntervalMs, () => this.wake());
    this.wake();
  }

  stop(): void {
    this.#timer?.();
    this.#cycle?.();
  }

  /** Asks for a pass soon. */
  wake(): void {
    this.#isWanted = true;
    if (this.#isPlanning || this.#timer) return;
    this.#timer = this.#parts.clock.after(Math.max(DEBOUNCE_MS, this.#restMs), () => {
      this.#timer = undefined;
      void this.#pass();
    });
  }

  async #pass(): Promise<void> {
    const { replica, log, metrics } = this.#parts;
    this.#isWanted = false;
    if (!replica.isLeader) return;
    this.#isPlanning = true;
    try {
      const decisions = this.#plan();
      if (decisions.length > 0) {
        const placements = decisions.map(({ allocation, version, claims }) => ({ allocation, version, claims }));
        const output = await replica.propose({ kind: "assign-nodes", placements }, SYSTEM);
        const refused = output.kind === "assigned" ? output.refused : [];
        const accepted = placements.length - refused.length;
        metrics.count("lattice_scheduling_proposals_total", { result: "accepted" }, accepted);
        metrics.count("lattice_scheduling_proposals_total", { result: "refused" }, refused.length);
        if (refused.length > 0) log.debug("placements were refused", { refused });
      }
    } catch (error) {
      log.warn("a scheduling pass failed", { error });
    } finally {
      this.#isPlanning = false;
    }
    if (this.#isWanted) this.wake();
  }

  #plan(): readonly Decision[] {
    const { replica, clock, settings, metrics } = this.#parts;
    const begun = clock.monotonic();
    const decisions = decide(viewOf(replica.state), settings.policy, clock.now());
    const tookMs = clock.monotonic() - begun;
    this.#restMs = tookMs * REST_RATIO;
    metrics.observe("lattice_scheduling_cycle_duration_seconds", {}, tookMs / 1000);
    return decisions;
  }
}

/** Something that waits was added, changed or set free, or something that holds nodes let go. */
function mayChangePlan(event: StateEvent): boolean {
  switch (event.kind) {
    case "allocation-changed":
      return event.to !== "staging" && event.to !== "running";
    case "node-changed":
    case "policy-changed":
      return true;
    case "assignments-changed":
      return false;
  }
}
