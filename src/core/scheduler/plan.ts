/**
 * The scheduler: a pure function from what is to what should be placed, and why the rest
 * waits. Runs on every server, in the simulator and in rm-replay; there is no other one.
 * It never writes: its decisions are proposed, and `core/state` checks them again.
 */
import type { Millis } from "../../base/brand.ts";
import { compareNumber } from "../../base/compare.ts";
import type { AllocationId, TenantId } from "../domain/ids.ts";
import type { Reason } from "../domain/reason.ts";
import { reason } from "../domain/reason.ts";
import { claimOn } from "../domain/resources.ts";
import type { ClusterView, Decision, PendingView } from "../domain/view.ts";
import type { Demand } from "./demand.ts";
import { demandKey, demandOf, mayShare } from "./demand.ts";
import type { NodeIndex } from "./node-index.ts";
import { indexNodes, takeNode } from "./node-index.ts";
import type { Policy } from "./policy.ts";
import type { Pick } from "./select-nodes.ts";
import { selectNodes } from "./select-nodes.ts";
import { reasonsOf } from "./why-waiting.ts";

export interface Plan {
  readonly decisions: readonly Decision[];
  /** Why each allocation that was looked at and not placed waits. */
  readonly reasons: ReadonlyMap<AllocationId, readonly Reason[]>;
}

/** Why one allocation waits. */
export interface Explanation {
  /** Empty when the next pass places it. */
  readonly reasons: readonly Reason[];
  /** Its place in the queue, from 1. */
  readonly position: number;
}

/** Returns the placements to make at `now`. Equal arguments give equal plans, to the byte. */
export function plan(view: ClusterView, policy: Policy, now: Millis): Plan {
  return runPass(view, policy, now).plan;
}

/**
 * Returns why the allocation waits and its place in the queue, also when it stands beyond
 * what one pass looks at; undefined when it is not in the queue.
 */
export function explain(
  view: ClusterView,
  policy: Policy,
  options: { readonly now: Millis; readonly allocation: AllocationId },
): Explanation | undefined {
  const { now, allocation } = options;
  let position = 0;
  for (const pending of view.pending()) {
    position++;
    if (pending.id === allocation)
      return { reasons: explainPending(view, policy, { now, pending, position }), position };
  }
  return undefined;
}

function explainPending(
  view: ClusterView,
  policy: Policy,
  at: { readonly now: Millis; readonly pending: PendingView; readonly position: number },
): readonly Reason[] {
  const { pass, plan } = runPass(view, policy, at.now);
  const known = plan.reasons.get(at.pending.id);
  if (known) return known;
  if (plan.decisions.some((decision) => decision.allocation === at.pending.id)) return [];
  const { reasons } = judge(pass, at.pending);
  if (at.position <= policy.depth) return reasons;
  const detail = `it is number ${at.position}, a pass looks at ${policy.depth}`;
  return [...reasons, reason("NOT_CONSIDERED", detail)];
}

/** What one pass knows and has taken so far. */
interface Pass {
  readonly view: ClusterView;
  readonly now: Millis;
  readonly index: NodeIndex;
  readonly demands: Map<string, Standing>;
  readonly nodesHeld: Map<TenantId, number>;
}

/** A demand and, once it did not fit, why. */
interface Standing {
  readonly demand: Demand;
  blocked?: { readonly version: number; readonly reasons: readonly Reason[] };
}

/** Either nodes to take or, with none, reasons to wait. */
interface Verdict {
  readonly picks: readonly Pick[];
  readonly reasons: readonly Reason[];
}

function runPass(view: ClusterView, policy: Policy, now: Millis): { readonly pass: Pass; readonly plan: Plan } {
  const pass: Pass = { view, now, index: indexNodes(view), demands: new Map(), nodesHeld: new Map() };
  const decisions: Decision[] = [];
  const reasons = new Map<AllocationId, readonly Reason[]>();
  let looked = 0;
  for (const pending of view.pending()) {
    if (looked++ >= policy.depth) break;
    const verdict = judge(pass, pending);
    if (verdict.reasons.length > 0) reasons.set(pending.id, verdict.reasons);
    else decisions.push(place(pass, pending, verdict.picks));
  }
  return { pass, plan: { decisions, reasons } };
}

function judge(pass: Pass, pending: PendingView): Verdict {
  const standing = standingOf(pass, pending);
  const selection = standing.blocked ? undefined : selectNodes(standing.demand);
  const limit = nodesLeft(pass, pending.tenant);
  const needed = selection?.needed ?? pending.request.nodesMin;
  const reasons = [
    ...notBeforeReasons(pass, pending),
    ...(limit < needed ? [quotaReason(pass, pending, needed)] : []),
    ...(selection ? [] : blockedReasons(pass, standing)),
  ];
  return { picks: selection && reasons.length === 0 ? selection.picks.slice(0, limit) : [], reasons };
}

function standingOf(pass: Pass, pending: PendingView): Standing {
  const isShared = mayShare(pass.view, pending);
  const key = demandKey(pending, isShared);
  const known = pass.demands.get(key);
  if (known) return known;
  const standing: Standing = { demand: demandOf(pass.index, pending, isShared) };
  pass.demands.set(key, standing);
  return standing;
}

/** What did not fit once does not fit later in the pass; only the numbers are counted again. */
function blockedReasons(pass: Pass, standing: Standing): readonly Reason[] {
  const { version } = pass.index;
  if (standing.blocked?.version !== version) {
    standing.blocked = { version, reasons: reasonsOf(pass.index, standing.demand) };
  }
  return standing.blocked.reasons;
}

function notBeforeReasons(pass: Pass, pending: PendingView): readonly Reason[] {
  const { notBefore } = pending;
  if (notBefore === undefined || notBefore <= pass.now) return [];
  return [reason("NOT_BEFORE", new Date(notBefore).toISOString())];
}

const nodesHeldBy = (pass: Pass, tenant: TenantId): number =>
  pass.nodesHeld.get(tenant) ?? pass.view.tenant(tenant)?.nodesHeld ?? 0;

const nodesMaxOf = (pass: Pass, tenant: TenantId): number =>
  pass.view.tenant(tenant)?.quota.nodesMax ?? Number.POSITIVE_INFINITY;

const nodesLeft = (pass: Pass, tenant: TenantId): number =>
  Math.max(0, nodesMaxOf(pass, tenant) - nodesHeldBy(pass, tenant));

function quotaReason(pass: Pass, pending: PendingView, needed: number): Reason {
  const nodesMax = nodesMaxOf(pass, pending.tenant);
  const held = nodesHeldBy(pass, pending.tenant);
  const detail = `${pending.tenant} holds ${held} of ${nodesMax}, this needs ${needed}`;
  const left = nodesMax - held;
  return left > 0 ? reason("QUOTA_NODES", detail, `ask for at most ${left} nodes`) : reason("QUOTA_NODES", detail);
}

function place(pass: Pass, pending: PendingView, picks: readonly Pick[]): Decision {
  const isShared = mayShare(pass.view, pending);
  const taken = picks.map(({ offer, node }) => {
    const claim = claimOn(pending.request, { id: node.view.id, capacity: offer.of.capacity }, isShared);
    takeNode(pass.index, offer.of, { node, claim });
    return { order: node.order, claim };
  });
  pass.nodesHeld.set(pending.tenant, nodesHeldBy(pass, pending.tenant) + picks.length);
  const claims = taken.sort((a, b) => compareNumber(a.order, b.order)).map(({ claim }) => claim);
  return { kind: "place", allocation: pending.id, version: pending.version, claims };
}
