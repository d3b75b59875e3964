/**
 * The scheduler: a pure function from what is to what should be placed, and why the rest
 * waits. Runs on every server, in the simulator and in rm-replay; there is no other one.
 * It never writes: its decisions are proposed, and `core/state` checks them again.
 */
import type { Millis } from "../../base/brand.ts";
import { compareNumber } from "../../base/compare.ts";
import type { AllocationId, ShortId, TenantId } from "../domain/ids.ts";
import type { Reason } from "../domain/reason.ts";
import { reason } from "../domain/reason.ts";
import { claimOn } from "../domain/resources.ts";
import type { ClusterView, Decision, PendingView } from "../domain/view.ts";
import type { Demand } from "./demand.ts";
import { demandKey, demandOf, mayShare, withoutKept } from "./demand.ts";
import type { NodeIndex } from "./node-index.ts";
import { indexNodes, keepNodes, takeNode } from "./node-index.ts";
import type { Policy } from "./policy.ts";
import type { Ending } from "./reservation.ts";
import { earliestSlot, endingsOf, endOf } from "./reservation.ts";
import type { Pick, Selection } from "./select-nodes.ts";
import { selectNodes } from "./select-nodes.ts";
import { reasonsOf } from "./why-waiting.ts";

export interface Plan {
  readonly decisions: readonly Decision[];
  /** Why each allocation that was looked at and not placed waits. */
  readonly reasons: ReadonlyMap<AllocationId, readonly Reason[]>;
  /** What the nodes are kept for, if anything. */
  readonly reservation?: Reservation;
}

/** The promise of a pass: what it places does not delay this allocation. */
export interface Reservation {
  readonly allocation: AllocationId;
  readonly shortId: ShortId;
  readonly startsBy: Millis;
}

/** Why one allocation waits. */
export interface Explanation {
  /** Empty when the next pass places it. */
  readonly reasons: readonly Reason[];
  /** Its place in the queue, from 1. */
  readonly position: number;
  /** When it starts at the latest, as far as is known; only what holds the reservation has it. */
  readonly startsBy?: Millis;
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
    if (pending.id === allocation) return explainPending(view, policy, { now, pending, position });
  }
  return undefined;
}

function explainPending(
  view: ClusterView,
  policy: Policy,
  at: { readonly now: Millis; readonly pending: PendingView; readonly position: number },
): Explanation {
  const { pass, plan } = runPass(view, policy, at.now);
  const { pending, position } = at;
  const { reservation } = pass;
  const known = plan.reasons.get(pending.id);
  if (known && reservation?.allocation === pending.id)
    return { reasons: known, position, startsBy: reservation.startsBy };
  if (known) return { reasons: known, position };
  if (plan.decisions.some((decision) => decision.allocation === pending.id)) return { reasons: [], position };
  const { reasons } = judge(pass, pending);
  if (position <= policy.depth) return { reasons, position };
  const detail = `it is number ${position}, a pass looks at ${policy.depth}`;
  return { reasons: [...reasons, reason("NOT_CONSIDERED", detail)], position };
}

/** What one pass knows and has taken so far. */
interface Pass {
  readonly view: ClusterView;
  readonly now: Millis;
  readonly index: NodeIndex;
  readonly demands: Map<string, Standing>;
  readonly nodesHeld: Map<TenantId, number>;
  /** What the pass has placed, and when it ends. */
  readonly placed: Ending[];
  /** How often a start was looked for. */
  searches: number;
  reservation?: Reservation;
}

/** Each search is a walk over the nodes. */
const SEARCHES_MAX = 8;

/** A demand and, once it did not fit, why. */
interface Standing {
  readonly demand: Demand;
  /** The same without the nodes kept for the reservation. */
  readonly unkept: Demand;
  isUnkeptBlocked?: boolean;
  /** No start is certain: work without a walltime holds its nodes. */
  isEndless?: boolean;
  reserved?: { readonly version: number; readonly reasons: readonly Reason[] | undefined };
  blocked?: { readonly version: number; readonly reasons: readonly Reason[] };
}

/** Either nodes to take or, with none, reasons to wait. */
interface Verdict {
  readonly picks: readonly Pick[];
  readonly reasons: readonly Reason[];
  /** Set when nothing but the use of its nodes by others keeps it waiting. */
  readonly isBusy?: boolean;
}

function runPass(view: ClusterView, policy: Policy, now: Millis): { readonly pass: Pass; readonly plan: Plan } {
  const index = indexNodes(view);
  const pass: Pass = { view, now, index, demands: new Map(), nodesHeld: new Map(), placed: [], searches: 0 };
  const decisions: Decision[] = [];
  const reasons = new Map<AllocationId, readonly Reason[]>();
  let looked = 0;
  for (const pending of view.pending()) {
    if (looked++ >= policy.depth) break;
    const verdict = judge(pass, pending);
    if (verdict.reasons.length === 0) decisions.push(place(pass, pending, verdict.picks));
    else reasons.set(pending.id, verdict.reasons);
    if (verdict.isBusy) reserve(pass, pending);
  }
  return { pass, plan: { decisions, reasons, ...(pass.reservation && { reservation: pass.reservation }) } };
}

function judge(pass: Pass, pending: PendingView): Verdict {
  const standing = standingOf(pass, pending);
  const selection = select(pass, standing, pending);
  const limit = nodesLeft(pass, pending.tenant);
  const needed = selection?.needed ?? pending.request.nodesMin;
  const others = [...notBeforeReasons(pass, pending), ...(limit < needed ? [quotaReason(pass, pending, needed)] : [])];
  if (selection) return { picks: others.length === 0 ? selection.picks.slice(0, limit) : [], reasons: others };
  const blocked = reservedReasons(pass, standing) ?? blockedReasons(pass, standing);
  const isBusy = others.length === 0 && blocked.every(({ code }) => code === "PRIORITY" || code === "NODES_BUSY");
  const why = isHeldOff(pass, pending) ? blocked.map(withoutSmaller) : blocked;
  return { picks: [], reasons: [...others, ...why], isBusy };
}

/** Whether it would outlast the start that is promised, if one is. */
const isHeldOff = ({ reservation, now }: Pass, { walltimeMs }: PendingView): boolean =>
  reservation !== undefined && endOf(now, walltimeMs) > reservation.startsBy;

/** Some of the free nodes may be kept: asking for fewer is no sure way to start. */
const withoutSmaller = (one: Reason): Reason =>
  one.code === "NODES_BUSY" ? { code: one.code, message: one.message } : one;

/** What would outlast the start that is promised may not use the nodes kept for it. */
function select(pass: Pass, standing: Standing, pending: PendingView): Selection | undefined {
  if (standing.blocked) return undefined;
  if (!isHeldOff(pass, pending)) return selectNodes(standing.demand);
  if (standing.isUnkeptBlocked) return undefined;
  const selection = selectNodes(standing.unkept);
  standing.isUnkeptBlocked = !selection;
  return selection;
}

/** Reserves the earliest start for what waits for its nodes; a pass makes one reservation. */
function reserve(pass: Pass, pending: PendingView): void {
  const standing = standingOf(pass, pending);
  if (pass.reservation || standing.isEndless || pass.searches >= SEARCHES_MAX) return;
  pass.searches++;
  const slot = earliestSlot(standing.demand, [...endingsOf(pass.view, pass.now), ...pass.placed], pass.now);
  standing.isEndless = !slot;
  if (!slot) return;
  keepNodes(pass.index, slot.nodes, slot.start);
  pass.demands.clear();
  pass.reservation = { allocation: pending.id, shortId: pending.shortId, startsBy: slot.start };
}

function standingOf(pass: Pass, pending: PendingView): Standing {
  const isShared = mayShare(pass.view, pending);
  const key = demandKey(pending, isShared);
  const known = pass.demands.get(key);
  if (known) return known;
  const demand = demandOf(pass.index, pending, isShared);
  const standing: Standing = { demand, unkept: withoutKept(demand) };
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

/** Why a demand waits that would fit on the nodes kept for the reservation; undefined when it would not. */
function reservedReasons(pass: Pass, standing: Standing): readonly Reason[] | undefined {
  const { reservation, index, now } = pass;
  if (!reservation || standing.blocked) return undefined;
  if (standing.reserved?.version !== index.version) {
    const { shortId, startsBy } = reservation;
    const detail = `${shortId} is to start by ${new Date(startsBy).toISOString()}`;
    const minutes = Math.floor((startsBy - now) / 60_000);
    const change = minutes > 0 ? `ask for a walltime of at most ${minutes} min` : undefined;
    const fits = selectNodes(standing.demand) !== undefined;
    standing.reserved = { version: index.version, reasons: fits ? [reason("RESERVED", detail, change)] : undefined };
  }
  return standing.reserved.reasons;
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
  const end = endOf(pass.now, pending.walltimeMs);
  for (const claim of claims) pass.placed.push({ claim, end });
  return { kind: "place", allocation: pending.id, version: pending.version, claims };
}
