/**
 * Proposes that others make room for what waits, after a pass has placed what it could, and
 * gives kept nodes back when their time is over. Only the leader comes here.
 */
import { millis } from "../../../base/brand.ts";
import { LatticeError } from "../../../core/domain/errors.ts";
import type { PreemptionPolicy } from "../../../core/scheduler/policy.ts";
import { planPreemption } from "../../../core/scheduler/preempt.ts";
import type { State } from "../../../core/state/state.ts";
import { viewOf } from "../../../core/state/view.ts";
import type { LoopParts } from "../loop-parts.ts";
import { SYSTEM } from "../replica.ts";

/** After the grace periods of the victims: for their agents to be reached and to end them. */
const HOLD_MARGIN_MS = 60_000;

/** Proposes the preemption that is due, if any. */
export async function proposePreemption({ replica, clock, settings, log, metrics }: LoopParts): Promise<void> {
  const { policy } = settings;
  if (policy.preemption === undefined || !replica.isLeader || !isThinkable(replica.state, policy.preemption)) return;
  const now = clock.now();
  const planned = planPreemption(viewOf(replica.state), policy, now);
  if (!planned) return;
  const { checkpointMs } = policy.preemption;
  const graces = planned.victims.map(
    ({ allocation }) => replica.state.tables.allocations.get(allocation)?.spec.gracePeriodMs ?? 0,
  );
  const holdUntil = millis(now + checkpointMs + Math.max(0, ...graces) + HOLD_MARGIN_MS);
  try {
    const preemption = { ...planned, holdUntil, checkpointMs };
    await replica.propose({ kind: "preempt-allocations", preemption }, SYSTEM);
    metrics.count("lattice_scheduling_preemptions_total", {}, planned.victims.length);
    log.info("work makes room", { for: planned.allocation, nodes: planned.nodes, victims: planned.victims });
  } catch (error) {
    if (!(error instanceof LatticeError)) throw error;
    log.debug("a preemption was refused: it is planned again", { fault: error.fault });
  }
}

/** Whether a class waits that is far enough above one that runs, or lent nodes may be taken back: most passes end here. */
function isThinkable({ indexes }: State, { classDistance }: PreemptionPolicy): boolean {
  const lowest = indexes.activeByClass.findIndex((count) => count > 0);
  const highest = indexes.queue.findLastIndex((queue) => queue.size > 0);
  if (lowest < 0 || highest < 0) return false;
  // What is lent is taken back whatever the classes.
  return highest - lowest >= classDistance || indexes.dedicated.size > 0;
}

/** Gives back the nodes of those that did not start on them in time. */
export async function releaseHolds({ replica, clock }: LoopParts): Promise<void> {
  const { tables, indexes } = replica.state;
  for (const id of [...indexes.holders.values()]) {
    const until = tables.allocations.get(id)?.hold?.until;
    if (until === undefined || until > clock.now() || !replica.isLeader) continue;
    await replica.propose({ kind: "release-hold", allocation: id }, SYSTEM);
  }
}
