/**
 * The reservation of a pass: when and on which nodes the first allocation that finds its
 * nodes in use will start, from the ends that running work is known to have. Work without
 * a walltime never ends here, so what needs its nodes cannot be promised a start.
 */
import { type Millis, millis } from "../../base/brand.ts";
import { compareNumber } from "../../base/compare.ts";
import type { NodeId } from "../domain/ids.ts";
import type { Amount, Claim } from "../domain/resources.ts";
import { addAmounts, fits } from "../domain/resources.ts";
import type { ClusterView } from "../domain/view.ts";
import type { Demand } from "./demand.ts";
import type { NodeClass, OpenNode } from "./node-index.ts";
import { coverFeatures } from "./select-nodes.ts";

/** A claim and when it ends; never is infinite. */
export interface Ending {
  readonly claim: Claim;
  readonly end: number;
}

/** When and where a demand can start. */
export interface Slot {
  readonly start: Millis;
  readonly nodes: ReadonlyMap<NodeClass, ReadonlySet<OpenNode>>;
}

/** Returns when an allocation that starts at `start` ends at the latest. */
export const endOf = (start: Millis, walltimeMs: Millis): number =>
  walltimeMs > 0 ? start + walltimeMs : Number.POSITIVE_INFINITY;

/** Returns the ends of all running work; what is past its end is about to end, what is yet to start starts now. */
export function endingsOf(view: ClusterView, now: Millis): Ending[] {
  const endings: Ending[] = [];
  for (const { claims, startedAt, walltimeMs } of view.running()) {
    const end = Math.max(now, endOf(startedAt ?? now, walltimeMs));
    for (const claim of claims) endings.push({ claim, end });
  }
  return endings;
}

/** A node that suits, and from when on it has room. */
interface Opening {
  readonly node: OpenNode;
  /** Of the demand. */
  readonly offer: number;
  readonly from: number;
}

/**
 * Returns the earliest start of `demand` and the nodes to keep for it: those that come free
 * last, so that those free now stay open to others. Undefined when no start is certain.
 */
export function earliestSlot(demand: Demand, endings: readonly Ending[], now: Millis): Slot | undefined {
  const openings = openingsOf(demand, endings, now);
  const available = demand.offers.map(() => 0);
  for (const [i, opening] of openings.entries()) {
    available[opening.offer] = (available[opening.offer] ?? 0) + 1;
    if (i + 1 < demand.request.nodesMin || openings[i + 1]?.from === opening.from) continue;
    const cover = coverFeatures(demand, available);
    const covered = cover?.reduce((sum, count) => sum + count, 0) ?? Number.POSITIVE_INFINITY;
    if (!cover || covered > demand.request.nodesMax) continue;
    const nodes = keepLast(demand, openings.slice(0, i + 1), cover);
    return { start: millis(opening.from), nodes };
  }
  return undefined;
}

function openingsOf(demand: Demand, endings: readonly Ending[], now: Millis): readonly Opening[] {
  const byNode = new Map<NodeId, Ending[]>();
  for (const ending of endings) {
    const known = byNode.get(ending.claim.nodeId);
    if (known) known.push(ending);
    else byNode.set(ending.claim.nodeId, [ending]);
  }
  const openings: Opening[] = [];
  for (const [offer, { of, need }] of demand.offers.entries()) {
    for (const node of of.nodes) {
      const ends = byNode.get(node.view.id);
      const from = ends ? roomFrom(node.free, need, { ends, isWhole: demand.isWhole }) : now;
      if (from < Number.POSITIVE_INFINITY) openings.push({ node, offer, from: Math.max(now, from) });
    }
  }
  return openings.sort((a, b) => compareNumber(a.from, b.from) || compareNumber(a.node.order, b.node.order));
}

/** Returns from when on a node has room for `need`. */
function roomFrom(
  free: Amount,
  need: Amount,
  { ends, isWhole }: { readonly ends: readonly Ending[]; readonly isWhole: boolean },
): number {
  let left = free;
  const isExclusive = ends.some(({ claim }) => claim.isExclusive);
  if (!isWhole && !isExclusive && fits(need, left)) return Number.NEGATIVE_INFINITY;
  const inOrder = ends.toSorted((a, b) => compareNumber(a.end, b.end));
  for (const [i, { claim, end }] of inOrder.entries()) {
    left = addAmounts(left, claim);
    if (isWhole ? i === inOrder.length - 1 : fits(need, left)) return end;
  }
  return Number.POSITIVE_INFINITY;
}

/** Keeps of each offer what the features need, then the least number of nodes: each time those that open last. */
function keepLast(
  demand: Demand,
  openings: readonly Opening[],
  cover: readonly number[],
): ReadonlyMap<NodeClass, ReadonlySet<OpenNode>> {
  const kept = new Map<NodeClass, Set<OpenNode>>();
  const missing = [...cover];
  let count = 0;
  const keep = ({ node, offer }: Opening): void => {
    const members = demand.offers[offer]?.of;
    if (!members) return;
    const nodes = kept.get(members) ?? new Set();
    kept.set(members, nodes.add(node));
    count++;
  };
  const spare: Opening[] = [];
  for (const opening of openings.toReversed()) {
    const need = missing[opening.offer] ?? 0;
    if (need === 0) spare.push(opening);
    else keep(opening);
    missing[opening.offer] = Math.max(0, need - 1);
  }
  for (const opening of spare) if (count < demand.request.nodesMin) keep(opening);
  return kept;
}
