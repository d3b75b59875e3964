/** The order within vClusters that place their work as it was submitted, among the scores of all others. */
import { compareNumber } from "../../../base/compare.ts";
import type { AllocationId, VClusterId } from "../../domain/ids.ts";
import type { SchedulerType } from "../../domain/tenant.ts";
import type { ClusterView, PendingView } from "../../domain/view.ts";

const IN_ORDER: Readonly<Record<SchedulerType, boolean>> = {
  hpc_backfill: false,
  service_bin_pack: false,
  sensitive_reservation: true,
  interactive_fifo: true,
};

/** Returns whether the vCluster keeps the order of submission among its work. */
export function isInSubmissionOrder(view: ClusterView, vcluster: VClusterId): boolean {
  const type = view.vcluster(vcluster)?.schedulerType;
  return type !== undefined && IN_ORDER[type];
}

/** The totals of a vCluster in order. */
export interface KeptOrder {
  readonly totals: ReadonlyMap<AllocationId, number>;
  /** Of the last one, which none that comes later may exceed. */
  readonly lowest: number;
}

/**
 * Raises the totals of a queue so that in such a vCluster each stands where the best of
 * those behind it would. Returns what became of them, by vCluster.
 */
export function keepOrder(
  view: ClusterView,
  queue: readonly PendingView[],
  totals: Float64Array,
): ReadonlyMap<VClusterId, KeptOrder> {
  const kept = new Map<VClusterId, KeptOrder>();
  for (const [vcluster, places] of placesInOrder(view, queue)) {
    places.sort((a, b) => compareSubmission(queue[b], queue[a]));
    const raised = new Map<AllocationId, number>();
    let best = Number.NEGATIVE_INFINITY;
    for (const at of places) {
      best = Math.max(best, totals[at] ?? best);
      totals[at] = best;
      const pending = queue[at];
      if (pending) raised.set(pending.id, best);
    }
    kept.set(vcluster, { totals: raised, lowest: totals[places[0] ?? 0] ?? best });
  }
  return kept;
}

/** Most queues have no such vCluster, so one look at each vCluster must be enough. */
function placesInOrder(view: ClusterView, queue: readonly PendingView[]): ReadonlyMap<VClusterId, number[]> {
  const inOrder = new Map<VClusterId, number[]>();
  const others = new Set<VClusterId>();
  for (const [at, { vcluster }] of queue.entries()) {
    if (others.has(vcluster)) continue;
    const places = inOrder.get(vcluster);
    if (places) places.push(at);
    else if (isInSubmissionOrder(view, vcluster)) inOrder.set(vcluster, [at]);
    else others.add(vcluster);
  }
  return inOrder;
}

/** Orders by submission. */
export const compareSubmission = (a: PendingView | undefined, b: PendingView | undefined): number =>
  a && b ? compareNumber(a.submittedAt, b.submittedAt) || compareNumber(a.shortId, b.shortId) : 0;
