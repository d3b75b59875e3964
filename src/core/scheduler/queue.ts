/** The order in which a pass walks the queue: the rank that promises and protection go by. */
import type { Millis } from "../../base/brand.ts";
import { compareNumber, compareText } from "../../base/compare.ts";
import type { ClusterView, PendingView } from "../domain/view.ts";
import type { Policy } from "./policy.ts";
import { Scorer } from "./score/score.ts";

/** Returns the waiting allocations, the highest rank first. Equal scores stand in the order of submission, then of ids. */
export function rankedQueue(view: ClusterView, policy: Policy, now: Millis): Iterable<PendingView> {
  if (policy.order === "fcfs") return view.pending();
  const scorer = new Scorer(view, { now, energyPrice: policy.energyPrice });
  const scored: Scored[] = [];
  for (const pending of view.pending()) scored.push({ pending, total: scorer.total(pending) });
  return scored.sort(compareScored).map(({ pending }) => pending);
}

interface Scored {
  readonly pending: PendingView;
  readonly total: number;
}

const compareScored = (a: Scored, b: Scored): number =>
  compareNumber(b.total, a.total) ||
  compareNumber(a.pending.submittedAt, b.pending.submittedAt) ||
  compareNumber(a.pending.shortId, b.pending.shortId) ||
  compareText(a.pending.id, b.pending.id);
