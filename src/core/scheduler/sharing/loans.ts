/**
 * Nodes that vClusters lend each other. Work takes them last, only while nobody is on them,
 * within what the lender lends and the borrower may borrow, and gives them back when the
 * lender needs them: see `mayReclaim`. No start is promised on them. Counted once a pass,
 * when somebody would borrow.
 */
import type { VClusterId } from "../../domain/ids.ts";
import type { VCluster } from "../../domain/tenant.ts";
import { borrowMaxOf, lendMaxOf, mayBorrow } from "../../domain/tenant.ts";
import type { ClusterView, PendingView, RunningView } from "../../domain/view.ts";
import type { Demand, Offer } from "../demand.ts";
import { needOn, suitsClass, withOffers } from "../demand.ts";
import type { NodeIndex } from "../node-index.ts";
import type { Pick } from "../select-nodes.ts";

/** How many nodes each vCluster has lent, and has of others. */
export interface Loans {
  readonly lent: Map<VClusterId, number>;
  readonly borrowed: Map<VClusterId, number>;
}

/** Returns the loans as the running work has them. */
export function loansOf(view: ClusterView): Loans {
  const loans: Loans = { lent: new Map(), borrowed: new Map() };
  for (const { vcluster, claims } of view.running()) {
    for (const { nodeId } of claims) {
      const lender = view.dedicatedTo(nodeId);
      if (lender !== undefined && lender !== vcluster) add(loans, vcluster, lender);
    }
  }
  return loans;
}

function add({ lent, borrowed }: Loans, borrower: VClusterId, lender: VClusterId): void {
  lent.set(lender, (lent.get(lender) ?? 0) + 1);
  borrowed.set(borrower, (borrowed.get(borrower) ?? 0) + 1);
}

/** Returns the demand with what others lend, or undefined where nobody lends it what it needs. */
export function withLent(view: ClusterView, index: NodeIndex, demand: Demand): Demand | undefined {
  const borrower = view.vcluster(demand.vcluster);
  if (!borrower || borrowMaxOf(borrower) === 0) return undefined;
  const { request, isShared, needsConformance } = demand;
  const lent: Offer[] = [];
  for (const members of index.classes) {
    const { dedicatedTo: lender, capacity } = members;
    if (lender === undefined || lender === demand.vcluster || !lends(view.vcluster(lender))) continue;
    if (!suitsClass(request, members, isShared) || (needsConformance && capacity.conformance === undefined)) continue;
    lent.push({ of: members, need: needOn(request, members, isShared), isOwn: false, lender });
  }
  return lent.length === 0 ? undefined : withOffers(demand, [...demand.offers, ...lent]);
}

const lends = (vcluster: VCluster | undefined): boolean => vcluster !== undefined && lendMaxOf(vcluster) > 0;

/** Returns whether the loans allow these picks. */
export function mayLend(
  { view, loans }: { readonly view: ClusterView; readonly loans: Loans },
  demand: Demand,
  picks: readonly Pick[],
): boolean {
  const asked = new Map<VClusterId, number>();
  let all = loans.borrowed.get(demand.vcluster) ?? 0;
  for (const { lender } of picks.map(({ offer }) => offer)) {
    if (lender === undefined) continue;
    all++;
    asked.set(lender, (asked.get(lender) ?? loans.lent.get(lender) ?? 0) + 1);
  }
  const borrower = view.vcluster(demand.vcluster);
  if (!borrower || all > borrowMaxOf(borrower)) return false;
  return [...asked].every(([id, count]) => {
    const lender = view.vcluster(id);
    return lender !== undefined && count <= lendMaxOf(lender);
  });
}

/** Writes down what is lent with these picks. */
export function lend(loans: Loans, borrower: VClusterId, picks: readonly Pick[]): void {
  for (const { offer } of picks) if (offer.lender !== undefined) add(loans, borrower, offer.lender);
}

/** Returns whether running work is on nodes of another vCluster. */
export const isBorrowing = (view: ClusterView, { vcluster, claims }: RunningView): boolean =>
  claims.some(({ nodeId }) => {
    const owner = view.dedicatedTo(nodeId);
    return owner !== undefined && owner !== vcluster;
  });

/** Returns whether running work has to give back a node that the vCluster of `pending` has lent it, whatever its class. */
export function mayReclaim(view: ClusterView, pending: PendingView, running: RunningView): boolean {
  if (running.vcluster === pending.vcluster || !mayBorrow(running)) return false;
  return running.claims.some(({ nodeId }) => view.dedicatedTo(nodeId) === pending.vcluster);
}

/** Returns the lenders of a demand with how much each has lent of what it lends, one sentence. */
export function loanText(view: ClusterView, loans: Loans, demand: Demand): string {
  const lenders = new Set(demand.offers.flatMap(({ lender }) => lender ?? []));
  const texts = [...lenders].map((id) => {
    const lender = view.vcluster(id);
    return `${id} has lent ${loans.lent.get(id) ?? 0} of ${lender ? lendMaxOf(lender) : 0}`;
  });
  const borrower = view.vcluster(demand.vcluster);
  const most = borrower ? borrowMaxOf(borrower) : 0;
  if (most === Number.POSITIVE_INFINITY) return texts.join(", ");
  const has = loans.borrowed.get(demand.vcluster) ?? 0;
  return [...texts, `${demand.vcluster} has borrowed ${has} of ${most}`].join(", ");
}
