/**
 * What it costs to have running work make room, in minutes: (lost + remaining) × burst.
 * Lost is what the work does again: on each node the time to write a checkpoint, or without
 * one all since it started. Work near its end is dear, for it makes room by itself soon.
 * The work of a tenant that is above its share on its burst allowance costs half.
 */
import type { Millis } from "../../base/brand.ts";
import type { ClusterView, RunningView } from "../domain/view.ts";

/** Minutes that a checkpoint is taken to need. */
const CHECKPOINT_MINUTES = { auto: 5, manual: 10 } as const;
const NEAR_ITS_END = 0.9;
const JUST_BEGUN = 0.1;
const MINUTE_MS = 60_000;

/** Returns the cost of having `running` make room at `now`. */
export function preemptionCost(view: ClusterView, running: RunningView, now: Millis): number {
  const elapsed = minutesOf(running, now);
  const { checkpoint } = running.displacement ?? {};
  const again = checkpoint === undefined ? elapsed : Math.min(elapsed, CHECKPOINT_MINUTES[checkpoint]);
  return (running.claims.length * again + remaining(running, elapsed)) * burst(view, running, now);
}

const minutesOf = ({ startedAt }: RunningView, now: Millis): number =>
  startedAt === undefined ? 0 : Math.max(0, now - startedAt) / MINUTE_MS;

function remaining({ walltimeMs }: RunningView, elapsed: number): number {
  if (walltimeMs === 0) return 0;
  const used = elapsed / (walltimeMs / MINUTE_MS);
  if (used >= NEAR_ITS_END) return 1_000;
  return used < JUST_BEGUN ? 1 : 100 * used;
}

function burst(view: ClusterView, { tenant }: RunningView, now: Millis): number {
  const { quota } = view.tenant(tenant) ?? {};
  if (quota?.burstAllowance === undefined || view.usage === undefined) return 1;
  return view.usage.tenantShare(tenant, now) > quota.fairShareTarget ? 0.5 : 1;
}
