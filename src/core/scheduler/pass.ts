/**
 * One pass over the queue: what is free, what has been taken and what has been promised
 * so far. `judge` decides for one allocation in its turn, `place` and `promiseStart` write
 * down what follows. Lives for one call of `plan`; nothing is kept between passes.
 */
import type { Millis } from "../../base/brand.ts";
import { millis } from "../../base/brand.ts";
import { compareNumber } from "../../base/compare.ts";
import type { AllocationId, ShortId, TenantId, VClusterId } from "../domain/ids.ts";
import { claimOn } from "../domain/resources.ts";
import { mayBorrow } from "../domain/tenant.ts";
import type { ClusterView, Decision, PendingView } from "../domain/view.ts";
import type { Availability, Taken } from "./availability.ts";
import { availabilityOf, earliestSlot, endOf, promise, takeIdle, takeShare } from "./availability.ts";
import type { Demand } from "./demand.ts";
import { demandOf, fitsWhenIdle, shapeOf, traitsOf } from "./demand.ts";
import type { NodeIndex } from "./node-index.ts";
import { indexNodes, takeNode } from "./node-index.ts";
import type { Policy } from "./policy.ts";
import type { Pick, Selection, Stay } from "./select-nodes.ts";
import { selectNodes } from "./select-nodes.ts";
import type { Cap, Draw } from "./sharing/caps.ts";
import { Caps, drawOf, hasCaps } from "./sharing/caps.ts";
import { closedTo, openDuring } from "./sharing/closed-nodes.ts";
import type { Loans } from "./sharing/loans.ts";
import { lend, loansOf, mayLend, withLent } from "./sharing/loans.ts";
import { closedKey } from "./sharing/reserved-nodes.ts";

/** A promise of the pass: what it places does not delay this allocation. */
export interface Reservation {
  readonly allocation: AllocationId;
  readonly shortId: ShortId;
  readonly startsBy: Millis;
}

/** What one pass knows and has done so far. */
export interface Pass {
  readonly view: ClusterView;
  readonly policy: Policy;
  readonly now: Millis;
  readonly index: NodeIndex;
  readonly standings: Map<VClusterId, Standings>;
  readonly nodesHeld: Map<TenantId, number>;
  /** In order of rank. */
  readonly reservations: Reservation[];
  /** What the pass gave away before it looked ahead. */
  readonly taken: Taken[];
  /** Made when the first start is to be promised. */
  availability?: Availability;
  /** Counted when the first comes that one of them holds for. */
  caps?: Caps;
  /** Counted when the first would borrow. */
  loans?: Loans;
  /** Those that place in the order of submission, and where something waits. */
  readonly stopped: Map<VClusterId, ShortId>;
  /** Those without a promised start that hold others back: the first of a vCluster in order, the first under a cap. */
  readonly blockers: AllocationId[];
  /** Nothing may overtake what waits: the rest of the queue waits too. */
  isClosed: boolean;
}

/** A demand and what the pass has found out about it. A pass only takes, so what failed once fails again. */
export interface Standing {
  readonly demand: Demand;
  /** It does not fit what is free. */
  isBlocked: boolean;
  /** Work that runs this long or longer would delay what is promised. */
  heldFrom?: number;
  /** No start is certain: work without a walltime holds its nodes. */
  isEndless: boolean;
  /** It would fit if no node were in use; found out when it is asked for. */
  fitsWhenIdle?: boolean;
  /** The same with what others lend, none where nobody does; found out when it does not fit otherwise. */
  borrowing?: Standing | "none";
}

/** The demands of one vCluster, by shape. A sensitive allocation takes whole nodes also where others share. */
interface Standings {
  readonly shared: Map<string, Standing> | undefined;
  readonly whole: Map<string, Standing>;
}

/** Nodes to take, or none: then whether nothing but the use of nodes by others is in the way. */
export type Verdict =
  | { readonly kind: "place"; readonly picks: readonly Pick[] }
  | { readonly kind: "wait"; readonly isBusy: boolean };

/** Returns a pass at its beginning. */
export const beginPass = (view: ClusterView, policy: Policy, now: Millis): Pass => ({
  view,
  policy,
  now,
  index: indexNodes(view),
  standings: new Map(),
  nodesHeld: new Map(),
  reservations: [],
  taken: [],
  stopped: new Map(),
  blockers: [],
  isClosed: false,
});

/** Returns whether all that is left in the queue waits and is promised nothing: who asks for no reasons may stop. */
export const isOver = ({ index, isClosed }: Pass): boolean => isClosed || index.openCount === 0;

/** Returns whether no more starts will be promised: what is left of the queue may only overtake. */
export const hasPromisedAll = ({ policy, reservations }: Pass): boolean =>
  policy.backfill === "easy" && reservations.length >= policy.reservations;

/** Returns whether the allocation waits for sure and is promised nothing. */
export const surelyWaits = (pass: Pass, { request, vcluster }: PendingView): boolean =>
  request.nodesMin > pass.index.openCount && hasPromisedAll(pass) && !isInOrder(pass, vcluster);

/** Returns whether it could not have ended by its deadline any more if it started now. */
export const isTooLate = ({ deadline, walltimeMs }: PendingView, now: Millis): boolean =>
  deadline !== undefined && now + walltimeMs > deadline;

/** Returns what becomes of an allocation, given what the pass has done for those before it. */
export function judge(pass: Pass, pending: PendingView): Verdict {
  if ((pending.notBefore ?? 0) > pass.now || isTooLate(pending, pass.now)) return WAIT;
  const standing = standingOf(pass, pending);
  if (pass.stopped.has(pending.vcluster)) return WAIT;
  const selection = pass.isClosed ? undefined : (select(pass, standing, pending) ?? borrow(pass, standing, pending));
  const limit = nodesLeft(pass, pending.tenant);
  if (limit < (selection?.needed ?? pending.request.nodesMin)) return WAIT;
  if (selection) {
    const picks = selection.picks.slice(0, limit);
    return isCapped(pass, pending, picks) ? WAIT : { kind: "place", picks };
  }
  standing.fitsWhenIdle ??= fitsWhenIdle(standing.demand);
  if (!standing.fitsWhenIdle) return WAIT;
  if (isInOrder(pass, pending.vcluster)) {
    pass.stopped.set(pending.vcluster, pending.shortId);
    pass.blockers.push(pending.id);
  }
  return WAIT_FOR_NODES;
}

/** What a cap keeps waiting is promised its start under that cap alone. */
function isCapped(pass: Pass, pending: PendingView, picks: readonly Pick[]): boolean {
  if (!isUnderCap(pass, pending)) return false;
  const draw = drawOf(pending, picks);
  const cap = capsOf(pass).tooLow(pending, draw);
  if (cap && capsOf(pass).promise(cap, draw)) pass.blockers.push(pending.id);
  return cap !== undefined;
}

/** Returns whether a cap holds for the allocation. */
export const isUnderCap = ({ policy, view }: Pass, { vcluster }: PendingView): boolean =>
  hasCaps(view, policy.caps, vcluster);

/** Returns the cap that keeps the allocation from these nodes, with what it would draw. */
export function capOver(
  pass: Pass,
  pending: PendingView,
  picks: readonly Pick[],
): { readonly cap: Cap; readonly draw: Draw } | undefined {
  if (!isUnderCap(pass, pending)) return undefined;
  const draw = drawOf(pending, picks);
  const cap = capsOf(pass).tooLow(pending, draw);
  return cap && { cap, draw };
}

function capsOf(pass: Pass): Caps {
  pass.caps ??= new Caps(pass.view, pass.policy.caps, pass.now);
  return pass.caps;
}

/** Returns whether the vCluster places its work in the order of submission, and lets nothing overtake. */
export const isInOrder = ({ view }: Pass, vcluster: VClusterId): boolean =>
  view.vcluster(vcluster)?.schedulerType === "interactive_fifo";

const WAIT: Verdict = { kind: "wait", isBusy: false };
const WAIT_FOR_NODES: Verdict = { kind: "wait", isBusy: true };

function select(pass: Pass, standing: Standing, { walltimeMs }: PendingView): Selection | undefined {
  if (standing.isBlocked) return undefined;
  const { availability, now } = pass;
  const open = openDuring(standing.demand, now, endOf(now, walltimeMs));
  if (open !== standing.demand) return selectNodes(open, stayOf(pass, walltimeMs));
  if (!availability || pass.reservations.length === 0) {
    const selection = selectNodes(standing.demand);
    standing.isBlocked = !selection;
    return selection;
  }
  const length = walltimeMs > 0 ? walltimeMs : Number.POSITIVE_INFINITY;
  if (standing.heldFrom !== undefined && length >= standing.heldFrom) return undefined;
  const selection = selectNodes(standing.demand, { availability, end: now + length });
  if (!selection) standing.heldFrom = length;
  return selection;
}

/** Returns the stay of work that starts now, where starts are promised to others. */
export const stayOf = ({ availability, now, reservations }: Pass, walltimeMs: Millis): Stay | undefined =>
  availability && reservations.length > 0 ? { availability, end: endOf(now, walltimeMs) } : undefined;

/** What does not fit on the nodes of its vCluster may fit with those that others lend. */
function borrow(pass: Pass, standing: Standing, pending: PendingView): Selection | undefined {
  if (!pass.index.hasDedicated || !mayBorrow(pending)) return undefined;
  const borrowing = borrowingOf(pass, standing);
  const selection = borrowing && select(pass, borrowing, pending);
  if (!borrowing || !selection) return undefined;
  pass.loans ??= loansOf(pass.view);
  for (const count of [selection.picks.length, selection.needed]) {
    const picks = selection.picks.slice(0, count);
    if (mayLend({ view: pass.view, loans: pass.loans }, borrowing.demand, picks)) return { ...selection, picks };
  }
  return undefined;
}

/** Returns what the pass knows of a demand that borrows; undefined where nobody lends. */
export function borrowingOf(pass: Pass, standing: Standing): Standing | undefined {
  if (standing.borrowing === undefined) {
    const demand = withLent(pass.view, pass.index, standing.demand);
    standing.borrowing = demand ? { demand, isBlocked: false, isEndless: false } : "none";
  }
  return standing.borrowing === "none" ? undefined : standing.borrowing;
}

/** Takes the nodes for an allocation and returns the decision. */
export function place(pass: Pass, pending: PendingView, picks: readonly Pick[]): Decision {
  const { availability, now, taken } = pass;
  const { isShared } = standingOf(pass, pending).demand;
  const end = endOf(now, pending.walltimeMs);
  const claims = picks.map(({ offer, node, wasIdle }) => {
    const claim = claimOn(pending.request, { id: node.view.id, capacity: offer.of.capacity }, isShared);
    takeNode(pass.index, offer.of, { node, claim });
    const one = { node, end, isExclusive: claim.isExclusive };
    if (!availability) taken.push(one);
    else if (!wasIdle) takeShare(availability, one);
    else takeIdle(availability, one);
    return { order: node.order, claim };
  });
  if (isUnderCap(pass, pending)) capsOf(pass).take(pending, drawOf(pending, picks));
  if (picks.some(({ offer }) => offer.lender !== undefined)) {
    pass.loans ??= loansOf(pass.view);
    lend(pass.loans, pending.vcluster, picks);
  }
  pass.nodesHeld.set(pending.tenant, nodesHeldBy(pass, pending.tenant) + picks.length);
  return {
    kind: "place",
    allocation: pending.id,
    version: pending.version,
    claims: claims.sort((a, b) => compareNumber(a.order, b.order)).map(({ claim }) => claim),
  };
}

/**
 * Promises what waits for its nodes the earliest start, as far as the policy promises any.
 * Returns "late" for what would not end by its deadline then: no nodes are kept for it.
 */
export function promiseStart(pass: Pass, pending: PendingView): "late" | undefined {
  const { policy, reservations, now } = pass;
  if (policy.backfill === "none") pass.isClosed = true;
  if (pass.isClosed || hasPromisedAll(pass)) return undefined;
  const standing = standingOf(pass, pending);
  if (standing.isEndless) return undefined;
  pass.availability ??= availabilityOf(pass.view, pass.index, { now, taken: pass.taken });
  const slot = earliestSlot(pass.availability, standing.demand, pending.walltimeMs);
  standing.isEndless = !slot;
  if (!slot) return undefined;
  if (isTooLate(pending, millis(slot.start))) return "late";
  promise(pass.availability, standing.demand, { slot, walltimeMs: pending.walltimeMs });
  reservations.push({ allocation: pending.id, shortId: pending.shortId, startsBy: millis(slot.start) });
  return undefined;
}

/** Returns what the pass knows of the demand of an allocation. */
export function standingOf(pass: Pass, pending: PendingView): Standing {
  const { shared, whole } = standingsOf(pass, pending.vcluster);
  const isShared = !pending.isSensitive && shared !== undefined;
  const standings = isShared ? shared : whole;
  const closed = closedTo(pass.view, pending);
  const open = shapeOf(pending.request);
  const shape = closed.length === 0 ? open : `${open}${closedKey(closed)}`;
  const known = standings.get(shape);
  if (known) return known;
  const traits = traitsOf(pass.view.vcluster(pending.vcluster), pending);
  const demand = demandOf(pass.index, pending, { ...traits, closed });
  const standing: Standing = { demand, isBlocked: false, isEndless: false };
  standings.set(shape, standing);
  return standing;
}

function standingsOf(pass: Pass, vcluster: VClusterId): Standings {
  const known = pass.standings.get(vcluster);
  if (known) return known;
  const shared = pass.view.vcluster(vcluster)?.sharesNodes === true ? new Map<string, Standing>() : undefined;
  const standings = { shared, whole: new Map<string, Standing>() };
  pass.standings.set(vcluster, standings);
  return standings;
}

/** Returns how many nodes the tenant holds, with what the pass has added. */
export const nodesHeldBy = (pass: Pass, tenant: TenantId): number =>
  pass.nodesHeld.get(tenant) ?? pass.view.tenant(tenant)?.nodesHeld ?? 0;

/** Returns how many nodes the tenant may hold. */
export const nodesMaxOf = (pass: Pass, tenant: TenantId): number =>
  pass.view.tenant(tenant)?.quota.nodesMax ?? Number.POSITIVE_INFINITY;

/** Returns how many more nodes the tenant may hold. */
export const nodesLeft = (pass: Pass, tenant: TenantId): number =>
  Math.max(0, nodesMaxOf(pass, tenant) - nodesHeldBy(pass, tenant));
