/**
 * The scheduler: a pure function from what is to what should be placed, and why the rest
 * waits. Runs on every server, in the simulator and in rm-replay; there is no other one.
 * It never writes: its decisions are proposed, and `core/state` checks them again.
 */
import type { Millis } from "../../base/brand.ts";
import { millis } from "../../base/brand.ts";
import type { AllocationId } from "../domain/ids.ts";
import type { Reason } from "../domain/reason.ts";
import { reason } from "../domain/reason.ts";
import type { ClusterView, Decision, PendingView } from "../domain/view.ts";
import { inBackfillOrder } from "./backfill-order.ts";
import { isOpen } from "./node-index.ts";
import type { Pass, Reservation, Verdict } from "./pass.ts";
import { beginPass, hasPromisedAll, isInOrder, isOver, judge, place, promiseStart, surelyWaits } from "./pass.ts";
import { PassReasons } from "./pass-reasons.ts";
import type { Policy } from "./policy.ts";
import { headOfQueue, rankedQueue } from "./queue.ts";

export interface Plan {
  readonly decisions: readonly Decision[];
  /** The starts that are promised, in order of rank. */
  readonly reservations: readonly Reservation[];
  /** Those that hold others back without a promised start. */
  readonly blockers: readonly AllocationId[];
  /** Why each allocation that was looked at and not placed waits. */
  readonly reasons: ReadonlyMap<AllocationId, readonly Reason[]>;
}

/** Why one allocation waits. */
export interface Explanation {
  /** Empty when the next pass places it. */
  readonly reasons: readonly Reason[];
  /** Its place in the queue, from 1. */
  readonly position: number;
  /** When it starts at the latest, as far as is known; only what is promised a start has it. */
  readonly startsBy?: Millis;
}

/** Returns the placements to make at `now`, and why the rest waits. Equal arguments give equal plans, to the byte. */
export function plan(view: ClusterView, policy: Policy, now: Millis): Plan {
  return planHead(view, policy, { now, head: headOfQueue(view, policy, now) });
}

/** What a pass looks at, in the order of a ranking. */
export interface Head {
  readonly now: Millis;
  readonly head: Iterable<PendingView>;
}

/** Returns the same for a queue that was ranked before. */
export function planHead(view: ClusterView, policy: Policy, { now, head }: Head): Plan {
  const pass = beginPass(view, policy, now);
  return runPass(pass, head, { why: new PassReasons(pass) });
}

/** Returns the placements of `plan` by themselves, which takes less time. */
export function decide(view: ClusterView, policy: Policy, now: Millis): readonly Decision[] {
  if (view.pendingCount === 0 || !hasOpenNode(view)) return [];
  return decideHead(view, policy, { now, head: headOfQueue(view, policy, now) }).decisions;
}

/** Returns the same for a queue that was ranked before; not all promises are made once no node is open. */
export const decideHead = (
  view: ClusterView,
  policy: Policy,
  { now, head }: Head,
): Pick<Plan, "decisions" | "reservations" | "blockers"> => runPass(beginPass(view, policy, now), head, {});

/** Returns whether anything at all can be placed. */
export const hasOpenNode = (view: ClusterView): boolean => view.nodes.some(isOpen);

/**
 * Returns why the allocation waits and its place in the queue, also when it stands beyond
 * what one pass looks at; undefined when it is not in the queue.
 */
export function explain(
  view: ClusterView,
  policy: Policy,
  { now, allocation }: { readonly now: Millis; readonly allocation: AllocationId },
): Explanation | undefined {
  const queue = [...rankedQueue(view, policy, now)];
  const at = queue.findIndex(({ id }) => id === allocation);
  const pending = queue[at];
  const head = queue.slice(0, policy.depth);
  return pending && explainHead(view, policy, { now, head, pending, position: at + 1 });
}

/** An allocation of a queue that was ranked before, and its place there. */
export interface Asked extends Head {
  readonly pending: PendingView;
  readonly position: number;
}

/** Returns the same for a queue that was ranked before. */
export function explainHead(view: ClusterView, policy: Policy, { now, head, pending, position }: Asked): Explanation {
  const pass = beginPass(view, policy, now);
  const why = new PassReasons(pass);
  const { decisions, reasons, reservations } = runPass(pass, head, { why });
  const promised = reservations.find(({ allocation }) => allocation === pending.id);
  const known = reasons.get(pending.id);
  if (known) return { reasons: known, position, ...(promised && { startsBy: promised.startsBy }) };
  if (decisions.some(({ allocation }) => allocation === pending.id)) return { reasons: [], position };
  const detail = `it is number ${position}, a pass looks at ${policy.depth}`;
  return { reasons: [...why.of(pending), reason("NOT_CONSIDERED", detail)], position };
}

/** The head up to the allocation in question, and the part of their walltimes that work is taken to last. */
export interface Estimate extends Head {
  readonly head: readonly PendingView[];
  readonly lengthRatio: number;
}

/**
 * Returns when the last of the head starts if all before it start first, nothing of higher
 * rank comes and all lasts so long; undefined where no start is certain.
 */
export function estimateStart(
  view: ClusterView,
  policy: Policy,
  { now, head, lengthRatio }: Estimate,
): Millis | undefined {
  const last = head.at(-1);
  if (!last) return undefined;
  const lasting = <T extends { readonly walltimeMs: Millis }>(work: T): T =>
    work.walltimeMs > 0 ? { ...work, walltimeMs: millis(Math.max(1, Math.ceil(work.walltimeMs * lengthRatio))) } : work;
  const shorter = { ...view, running: () => [...view.running()].map(lasting) };
  const pass = beginPass(shorter, { ...policy, backfill: "conservative" }, now);
  const { decisions, reservations } = runPass(pass, head.map(lasting), { isThorough: true });
  if (decisions.some(({ allocation }) => allocation === last.id)) return now;
  return reservations.find(({ allocation }) => allocation === last.id)?.startsBy;
}

/** What is wanted besides placements. */
interface Wants {
  /** Reasons of all that waits. */
  readonly why?: PassReasons;
  /** All promises, also once nothing more can be placed. */
  readonly isThorough?: boolean;
}

function runPass(pass: Pass, head: Iterable<PendingView>, { why, isThorough = why !== undefined }: Wants): Plan {
  const decisions: Decision[] = [];
  const reasons = new Map<AllocationId, readonly Reason[]>();
  const tryPlace = (pending: PendingView): Verdict => {
    const verdict = judge(pass, pending);
    if (verdict.kind === "place") decisions.push(place(pass, pending, verdict.picks));
    return verdict;
  };
  const isHopeless = (pending: PendingView): boolean => !isThorough && surelyWaits(pass, pending);
  const { backfillOrder } = pass.policy;
  const later: PendingView[] = [];
  for (const pending of head) {
    if (!isThorough && isOver(pass)) break;
    if (isHopeless(pending)) continue;
    if (backfillOrder !== "rank" && hasPromisedAll(pass) && !isInOrder(pass, pending.vcluster)) {
      later.push(pending);
      continue;
    }
    const verdict = tryPlace(pending);
    if (verdict.kind === "place") continue;
    const waits = why?.of(pending);
    const isLate = verdict.isBusy && promiseStart(pass, pending) === "late";
    if (waits) reasons.set(pending.id, isLate ? [...waits, reason("DEADLINE_NEAR")] : waits);
  }
  const ordered = inBackfillOrder(later, backfillOrder);
  const left = ordered.filter((pending) => isHopeless(pending) || tryPlace(pending).kind === "wait");
  // Who follows the advice may be tried later than before, so it must hold when all is placed.
  if (why) for (const pending of left) reasons.set(pending.id, why.of(pending));
  return { decisions, reasons, reservations: pass.reservations, blockers: pass.blockers };
}
