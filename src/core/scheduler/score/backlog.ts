/**
 * f6: how much waits in its vCluster for each node-hour that runs there. Equal for all
 * work of one vCluster, so it speaks between vClusters: the one with more waiting comes first.
 */

/** Node-hours of work in a vCluster, by walltimes. */
export interface Backlog {
  readonly queuedHours: number;
  readonly runningHours: number;
}

const HOUR_MS = 3_600_000;
/** What work without a walltime counts as. */
const ENDLESS_HOURS = 24;

/** Returns min(1, queued / running), with no less than one hour running; 0 when nothing runs. */
export function backlogFactor({ queuedHours, runningHours }: Backlog): number {
  return runningHours <= 0 ? 0 : Math.min(1, queuedHours / Math.max(1, runningHours));
}

/** Returns nodes × walltime in hours. */
export const nodeHours = (nodes: number, walltimeMs: number): number =>
  nodes * (walltimeMs > 0 ? walltimeMs / HOUR_MS : ENDLESS_HOURS);
