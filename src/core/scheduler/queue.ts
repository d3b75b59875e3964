/** The order in which a pass walks the queue: the rank that promises and protection go by. */
import type { Millis } from "../../base/brand.ts";
import { compareNumber, compareText } from "../../base/compare.ts";
import type { AllocationId, ShortId } from "../domain/ids.ts";
import type { ClusterView, PendingView } from "../domain/view.ts";
import type { Policy } from "./policy.ts";
import { Scorer } from "./score/score.ts";
import { keepOrder } from "./score/submission-order.ts";

/** The rank of an allocation: the greater total stands first, then the earlier submission, then the smaller id. */
export interface Ranked {
  readonly id: AllocationId;
  readonly total: number;
  readonly submittedAt: Millis;
  readonly shortId: ShortId;
}

/** Returns the waiting allocations, the highest rank first. Equal scores stand in the order of submission, then of ids. */
export function rankedQueue(view: ClusterView, policy: Policy, now: Millis): Iterable<PendingView> {
  return policy.order === "fcfs" ? view.pending() : byScore(view, policy, { now, count: Number.POSITIVE_INFINITY });
}

/** Returns those that a pass looks at: as many as the depth of the policy, from the highest rank. */
export function headOfQueue(view: ClusterView, policy: Policy, now: Millis): Iterable<PendingView> {
  return policy.order === "fcfs"
    ? firstOf(view.pending(), policy.depth)
    : byScore(view, policy, { now, count: policy.depth });
}

function* firstOf(queue: Iterable<PendingView>, count: number): Iterable<PendingView> {
  let looked = 0;
  for (const pending of queue) {
    if (looked++ >= count) return;
    yield pending;
  }
}

function byScore(
  view: ClusterView,
  { energyPrice, weights }: Policy,
  { now, count }: { readonly now: Millis; readonly count: number },
): readonly PendingView[] {
  const queue = [...view.pending()];
  const scorer = new Scorer(view, { now, energyPrice, weights, queue });
  const totals = Float64Array.from(queue, (pending) => scorer.total(pending));
  keepOrder(view, queue, totals);
  return headByTotal(queue, totals, count).map(({ pending }) => pending);
}

/** Returns the `count` highest of the queue, the highest first. A long queue is not sorted whole for the sake of its head. */
export function headByTotal(
  queue: readonly PendingView[],
  totals: Float64Array,
  count: number,
): readonly (Ranked & { readonly pending: PendingView })[] {
  const least = count < queue.length ? greatest(totals, count) : Number.NEGATIVE_INFINITY;
  const scored: (Ranked & { readonly pending: PendingView })[] = [];
  for (const [i, pending] of queue.entries()) {
    const total = totals[i] ?? 0;
    if (total >= least) scored.push({ pending, ...rankedBy(pending, total) });
  }
  scored.sort(compareRanked);
  if (scored.length > count) scored.length = count;
  return scored;
}

/** Returns the rank of an allocation with this total. */
export const rankedBy = ({ id, submittedAt, shortId }: PendingView, total: number): Ranked => ({
  id,
  total,
  submittedAt,
  shortId,
});

/** Compares ranks: what stands first is less. */
export const compareRanked = (a: Ranked, b: Ranked): number =>
  compareNumber(b.total, a.total) ||
  compareNumber(a.submittedAt, b.submittedAt) ||
  compareNumber(a.shortId, b.shortId) ||
  compareText(a.id, b.id);

/** Returns the `count`-th greatest value, of which there are at least so many: the root of a heap of the greatest. */
function greatest(values: Float64Array, count: number): number {
  const heap = values.slice(0, count).sort(compareNumber);
  for (let i = count; i < values.length; i++) {
    const value = values[i] ?? 0;
    if (value > (heap[0] ?? 0)) sink(heap, value);
  }
  return heap[0] ?? Number.NEGATIVE_INFINITY;
}

/** Puts `value` in the place of the root, the least, and restores the heap. */
function sink(heap: Float64Array, value: number): void {
  let hole = 0;
  for (;;) {
    let child = 2 * hole + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && (heap[child + 1] ?? 0) < (heap[child] ?? 0)) child++;
    const least = heap[child] ?? 0;
    if (least >= value) break;
    heap[hole] = least;
    hole = child;
  }
  heap[hole] = value;
}
