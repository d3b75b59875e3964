/**
 * The cheapest set of victims whose nodes make one demand possible, together with what is
 * free. Counts usable nodes by offer while claims are taken away and put back, so that a
 * step costs the claims of one victim. Two greedy orders are tried, by cost and by cost for
 * each node; whatever is not needed after all is left out again, the dearest first. So the
 * set is minimal: without any one of its members the demand does not fit.
 */
import { compareNumber } from "../../base/compare.ts";
import type { Claim } from "../domain/resources.ts";
import { addAmounts, subtractAmounts, withoutGpus } from "../domain/resources.ts";
import type { ClusterView, NodeView, RunningView } from "../domain/view.ts";
import type { Demand, Offer } from "./demand.ts";
import { freeCount, suffices } from "./demand.ts";
import type { NodeIndex } from "./node-index.ts";
import { hasRoom } from "./node-index.ts";

/** Running work that may make room, and what that costs. */
export interface Victim {
  readonly running: RunningView;
  readonly cost: number;
}

/** The cluster that victims are looked for in. */
export interface Ground {
  readonly view: ClusterView;
  readonly index: NodeIndex;
}

/** Returns the victims for `demand`, none when it fits without; undefined when all of them are not enough. */
export function chooseVictims(
  ground: Ground,
  demand: Demand,
  candidates: readonly Victim[],
): readonly Victim[] | undefined {
  if (new Tally(ground, demand).isEnough) return [];
  const useful = candidates.flatMap((victim) => {
    const gain = gainOf(ground, demand, victim);
    return gain > 0 ? [{ victim, gain }] : [];
  });
  const byCost = useful.toSorted((a, b) => compareVictims(a.victim, b.victim));
  const byShare = byCost.toSorted((a, b) => compareNumber(a.victim.cost / a.gain, b.victim.cost / b.gain));
  let best: readonly Victim[] | undefined;
  for (const order of [byCost, byShare]) {
    const chosen = cover(
      new Tally(ground, demand),
      order.map(({ victim }) => victim),
    );
    if (chosen && (!best || compareSets(chosen, best) < 0)) best = chosen;
  }
  return best;
}

/** Returns what the victims cost together. */
export const totalCost = (victims: readonly Victim[]): number => victims.reduce((sum, { cost }) => sum + cost, 0);

/** Orders sets of victims: the cheapest first, then the smallest. */
export const compareSets = (a: readonly Victim[], b: readonly Victim[]): number =>
  compareNumber(totalCost(a), totalCost(b)) || compareNumber(a.length, b.length);

/** Of equal cost the lower class comes first, then what has run least, then what was submitted last. */
function compareVictims(a: Victim, b: Victim): number {
  const [x, y] = [a.running, b.running];
  return (
    compareNumber(a.cost, b.cost) ||
    compareNumber(x.preemptionClass, y.preemptionClass) ||
    compareNumber(y.startedAt ?? Number.MAX_SAFE_INTEGER, x.startedAt ?? Number.MAX_SAFE_INTEGER) ||
    compareNumber(y.displacement?.shortId ?? 0, x.displacement?.shortId ?? 0)
  );
}

function cover(tally: Tally, order: readonly Victim[]): readonly Victim[] | undefined {
  const taken: Victim[] = [];
  for (const victim of order) {
    if (tally.isEnough) break;
    tally.remove(victim.running.claims);
    taken.push(victim);
  }
  if (!tally.isEnough) return undefined;
  const kept: Victim[] = [];
  for (const victim of taken.toSorted((a, b) => compareVictims(b, a))) {
    tally.putBack(victim.running.claims);
    if (tally.isEnough) continue;
    tally.remove(victim.running.claims);
    kept.push(victim);
  }
  return kept.toReversed();
}

/** On how many nodes that suit the demand the victim has a claim. */
function gainOf({ view, index }: Ground, demand: Demand, { running }: Victim): number {
  let gain = 0;
  for (const { nodeId } of running.claims) {
    if (placeFor(view, index, { demand, nodeId })) gain++;
  }
  return gain;
}

interface Place {
  readonly at: number;
  readonly offer: number;
  readonly node: NodeView;
}

/** Where a node stands for a demand; undefined where it is none of its nodes or kept for another. */
function placeFor(
  view: ClusterView,
  index: NodeIndex,
  { demand, nodeId }: { readonly demand: Demand; readonly nodeId: Claim["nodeId"] },
): Place | undefined {
  const at = view.placeOf(nodeId) ?? -1;
  const node = view.nodes[at];
  const members = index.classAt[at];
  if (!node || !members || node.heldFor !== undefined) return undefined;
  const offer = demand.offers.findIndex(({ of }) => of === members);
  return offer < 0 ? undefined : { at, offer, node };
}

/** How many nodes of each offer the demand can use. */
class Tally {
  readonly #ground: Ground;
  readonly #demand: Demand;
  readonly #counts: number[];
  readonly #nodes = new Map<number, NodeView>();

  constructor(ground: Ground, demand: Demand) {
    this.#ground = ground;
    this.#demand = demand;
    this.#counts = demand.offers.map((offer) => freeCount(offer, demand.isWhole));
  }

  get isEnough(): boolean {
    return suffices(this.#demand, this.#counts);
  }

  remove(claims: readonly Claim[]): void {
    for (const claim of claims) this.#change(claim, withoutClaim);
  }

  putBack(claims: readonly Claim[]): void {
    for (const claim of claims) this.#change(claim, withClaim);
  }

  #change(claim: Claim, change: (node: NodeView, claim: Claim) => NodeView): void {
    const { view, index } = this.#ground;
    const place = placeFor(view, index, { demand: this.#demand, nodeId: claim.nodeId });
    const offer = this.#demand.offers[place?.offer ?? -1];
    if (!place || !offer) return;
    const before = this.#nodes.get(place.at) ?? place.node;
    const after = change(before, claim);
    this.#nodes.set(place.at, after);
    const more = Number(this.#isUsable(after, offer)) - Number(this.#isUsable(before, offer));
    this.#counts[place.offer] = (this.#counts[place.offer] ?? 0) + more;
  }

  #isUsable(node: NodeView, { need }: Offer): boolean {
    if (node.claimCount === 0) return true;
    return !this.#demand.isWhole && !node.hasExclusiveClaim && node.free.cpus > 0 && hasRoom(node, need);
  }
}

/** Returns the node as it is without the claim. */
export const withoutClaim = (node: NodeView, claim: Claim): NodeView => ({
  ...node,
  free: addAmounts(node.free, claim),
  gpuFree: withoutGpus(
    node.gpuFree,
    (claim.gpus ?? []).map(({ device, milli }) => ({ device, milli: -milli })),
  ),
  claimCount: node.claimCount - 1,
  hasExclusiveClaim: !claim.isExclusive && node.hasExclusiveClaim,
});

const withClaim = (node: NodeView, claim: Claim): NodeView => ({
  ...node,
  free: subtractAmounts(node.free, claim),
  gpuFree: withoutGpus(node.gpuFree, claim.gpus ?? []),
  claimCount: node.claimCount + 1,
  hasExclusiveClaim: claim.isExclusive || node.hasExclusiveClaim,
});
