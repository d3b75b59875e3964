/**
 * Preemption as the scheduler decides it: which allocation that waits is worth having others
 * make room, who they are, and on which nodes it then starts. Comes after the placements of
 * a pass, so whatever can start otherwise has. Pure; `core/state` checks it again.
 */
import type { LogIndex, Millis } from "../../base/brand.ts";
import { compareText } from "../../base/compare.ts";
import type { AllocationId, NodeId } from "../domain/ids.ts";
import { claimOn } from "../domain/resources.ts";
import type { DrawCaps, SchedulerType } from "../domain/tenant.ts";
import type { ClusterView, Decision, NodeView, PendingView, RunningView } from "../domain/view.ts";
import { endOf } from "./availability.ts";
import type { Demand } from "./demand.ts";
import { demandOf, shapeOf, traitsOf } from "./demand.ts";
import { indexNodes } from "./node-index.ts";
import { isTooLate } from "./pass.ts";
import type { Policy, PreemptionPolicy } from "./policy.ts";
import { preemptionCost } from "./preemption-cost.ts";
import type { Pick } from "./select-nodes.ts";
import { selectNodes } from "./select-nodes.ts";
import { Caps, drawOf, hasCaps } from "./sharing/caps.ts";
import { closedTo, openDuring } from "./sharing/closed-nodes.ts";
import { isBorrowing, mayReclaim } from "./sharing/loans.ts";
import type { Ground, Victim } from "./victims.ts";
import { chooseVictims, compareSets, withoutClaim } from "./victims.ts";

/** Who is to make room for whom, and on which nodes. */
export interface PlannedPreemption {
  readonly allocation: AllocationId;
  readonly version: LogIndex;
  /** In ascending order. */
  readonly nodes: readonly NodeId[];
  readonly victims: readonly { readonly allocation: AllocationId; readonly attempt: number }[];
}

/** Work that ends within this time anyway is waited for. */
const NEARLY_OVER_MS = 5 * 60_000;

/** Whether the work of a vCluster makes room for others. */
const MAKES_ROOM: Readonly<Record<SchedulerType, boolean>> = {
  hpc_backfill: true,
  interactive_fifo: true,
  service_bin_pack: false,
  sensitive_reservation: false,
};

/**
 * Returns the preemption to make at `now`, if any: for the highest class that waits for
 * nothing but nodes which lower classes hold, in order of submission; then for those whose
 * vCluster has lent the nodes that they wait for. One at a time: the next is found once
 * this one is in the view.
 */
export function planPreemption(view: ClusterView, policy: Policy, now: Millis): PlannedPreemption | undefined {
  const { preemption, depth } = policy;
  if (!preemption) return undefined;
  const asked = { preemption, depth, now, caps: policy.caps };
  return planForClass(view, asked) ?? planReclaim(view, asked);
}

interface Asked {
  readonly preemption: PreemptionPolicy;
  readonly depth: number;
  readonly now: Millis;
  readonly caps: DrawCaps | undefined;
}

function planForClass(view: ClusterView, asked: Asked): PlannedPreemption | undefined {
  const { preemption, depth, now } = asked;
  const lowest = view.lowestClassRunning?.();
  if (lowest === undefined) return undefined;
  const tried = new Set<string>();
  let survey: Survey | undefined;
  let looked = 0;
  for (const pending of view.pending()) {
    if (pending.preemptionClass - lowest < preemption.classDistance || looked++ >= depth) return undefined;
    const { request, vcluster, isSensitive } = pending;
    if (waitsForMore(view, pending, now)) continue;
    const shape = `${vcluster} ${isSensitive} ${shapeOf(request)}`;
    // Of the same shape, work of no higher class has no more to choose from; reservations tell it apart.
    if (tried.has(shape) && !view.reservations) continue;
    tried.add(shape);
    const work = () => [...view.running()].filter((one) => makesRoom(view, one, { preemption, now }));
    survey ??= surveyOf(view, work(), asked);
    const classMax = pending.preemptionClass - preemption.classDistance;
    const found = findVictims(survey, pending, ({ preemptionClass }) => preemptionClass <= classMax);
    if (found) return found;
  }
  return undefined;
}

/** What is lent is given back whatever the classes, and however often the borrower has made room before. */
function planReclaim(view: ClusterView, asked: Asked): PlannedPreemption | undefined {
  const { depth, now } = asked;
  const borrowers = [...view.running()].filter((work) => work.displacement && isBorrowing(view, work));
  if (borrowers.length === 0) return undefined;
  let survey: Survey | undefined;
  let looked = 0;
  for (const pending of view.pending()) {
    if (looked++ >= depth) return undefined;
    if (waitsForMore(view, pending, now)) continue;
    const owes = (work: RunningView): boolean => mayReclaim(view, pending, work);
    if (!borrowers.some(owes)) continue;
    survey ??= surveyOf(view, borrowers, asked);
    const found = findVictims(survey, pending, owes);
    if (found) return found;
  }
  return undefined;
}

/** Returns the placements of those whose nodes have come free. */
export function startHolders(view: ClusterView, now: Millis): readonly Decision[] {
  const decisions: Decision[] = [];
  for (const pending of view.holders?.() ?? []) {
    const decision = waitsForMore(view, pending, now) ? undefined : startOnHold(view, pending, now);
    if (decision) decisions.push(decision);
  }
  return decisions;
}

/** What the nodes are without the work that ends already, and who may make room. */
interface Survey extends Ground {
  readonly candidates: readonly Victim[];
  readonly now: Millis;
  readonly caps: DrawCaps | undefined;
}

function surveyOf(view: ClusterView, candidates: readonly RunningView[], { now, caps }: Asked): Survey {
  const soon = without(
    view,
    [...view.running()].filter(({ isEnding }) => isEnding),
  );
  const victims = candidates.map((work): Victim => ({ running: work, cost: preemptionCost(view, work, now) }));
  return { view: soon, index: indexNodes(soon), candidates: victims, now, caps };
}

function makesRoom(
  view: ClusterView,
  { displacement, vcluster, startedAt, walltimeMs }: RunningView,
  { preemption, now }: { readonly preemption: PreemptionPolicy; readonly now: Millis },
): boolean {
  if (!displacement || displacement.count >= preemption.countMax) return false;
  const known = view.vcluster(vcluster);
  if (known && (!MAKES_ROOM[known.schedulerType] || preemption.spared?.includes(known.name))) return false;
  return endOf(startedAt ?? now, walltimeMs) - now >= NEARLY_OVER_MS;
}

function findVictims(
  survey: Survey,
  pending: PendingView,
  makesWay: (work: RunningView) => boolean,
): PlannedPreemption | undefined {
  const demand = demandFor(survey, pending);
  const candidates = survey.candidates.filter(({ running }) => makesWay(running));
  const alike = demand.needsConformance && demand.byMake.length > 0 ? demand.byMake : [demand];
  let best: readonly Victim[] | undefined;
  for (const one of alike) {
    const victims = chooseVictims(survey, one, candidates);
    // It starts without anybody's help: when what ends has ended, or what is promised to others is over.
    if (victims?.length === 0) return undefined;
    if (victims && (!best || compareSets(victims, best) < 0)) best = victims;
  }
  return best && startAfter(survey, pending, best);
}

/** Chooses the nodes as they are without the victims, the way a pass does. */
function startAfter(survey: Survey, pending: PendingView, victims: readonly Victim[]): PlannedPreemption | undefined {
  const after = without(
    survey.view,
    victims.map(({ running }) => running),
  );
  const { now } = survey;
  const selection = selectNodes(demandFor({ view: after, index: indexNodes(after), now }, pending));
  if (!selection || isCapped(survey, pending, { victims, picks: selection.picks })) return undefined;
  const nodes = selection.picks
    .slice(0, selection.needed)
    .map(({ node }) => node.view.id)
    .sort(compareText);
  const wanted = new Set(nodes);
  if (!victims.every(({ running }) => running.claims.some(({ nodeId }) => wanted.has(nodeId)))) return undefined;
  return {
    allocation: pending.id,
    version: pending.version,
    nodes,
    victims: victims.map(({ running }) => ({ allocation: running.id, attempt: running.displacement?.attempt ?? 0 })),
  };
}

/** Whether a cap would keep it from its nodes also when the victims draw nothing any more. */
function isCapped(
  { view, now, caps }: Survey,
  pending: PendingView,
  { victims, picks }: { readonly victims: readonly Victim[]; readonly picks: readonly Pick[] },
): boolean {
  if (!hasCaps(view, caps, pending.vcluster)) return false;
  const gone = new Set(victims.map(({ running }) => running));
  const after = { ...view, running: () => [...view.running()].filter((work) => !gone.has(work)) };
  return new Caps(after, caps, now).tooLow(pending, drawOf(pending, picks)) !== undefined;
}

function startOnHold(view: ClusterView, pending: PendingView, now: Millis): Decision | undefined {
  const nodes = (pending.hold ?? []).flatMap((id): readonly NodeView[] => {
    const node = view.nodes[view.placeOf(id) ?? -1];
    if (!node) return [];
    const { heldFor: _, ...own } = node;
    return [own];
  });
  const own = { ...view, nodes };
  const selection = selectNodes(demandFor({ view: own, index: indexNodes(own), now }, pending));
  if (!selection) return undefined;
  const isShared = sharesNodes(view, pending);
  const claims = selection.picks
    .toSorted((a, b) => compareText(a.node.view.id, b.node.view.id))
    .map(({ node, offer }) => claimOn(pending.request, { id: node.view.id, capacity: offer.of.capacity }, isShared));
  return { kind: "place", allocation: pending.id, version: pending.version, claims };
}

/** On the nodes that are open to it for as long as it may run. */
function demandFor({ view, index, now }: Ground & { readonly now: Millis }, pending: PendingView): Demand {
  const traits = traitsOf(view.vcluster(pending.vcluster), pending);
  const demand = demandOf(index, pending, { ...traits, closed: closedTo(view, pending) });
  return openDuring(demand, now, endOf(now, pending.walltimeMs));
}

/** Whether something besides nodes is in its way: a set time, a deadline, a quota. */
const waitsForMore = (view: ClusterView, pending: PendingView, now: Millis): boolean =>
  (pending.notBefore ?? 0) > now || isTooLate(pending, now) || isOverQuota(view, pending);

const sharesNodes = (view: ClusterView, { vcluster, isSensitive }: PendingView): boolean =>
  !isSensitive && view.vcluster(vcluster)?.sharesNodes === true;

function isOverQuota(view: ClusterView, { tenant, request }: PendingView): boolean {
  const known = view.tenant(tenant);
  return known !== undefined && known.nodesHeld + request.nodesMin > known.quota.nodesMax;
}

/** Returns the view without the claims of some work. Nodes that are kept for somebody stay as they are. */
function without(view: ClusterView, ended: readonly RunningView[]): ClusterView {
  const nodes = [...view.nodes];
  for (const { claims } of ended) {
    for (const claim of claims) {
      const place = view.placeOf(claim.nodeId) ?? -1;
      const node = nodes[place];
      if (node && node.heldFor === undefined) nodes[place] = withoutClaim(node, claim);
    }
  }
  return { ...view, nodes };
}
