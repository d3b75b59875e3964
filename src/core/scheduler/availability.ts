/**
 * When nodes will be idle: one profile for each class, made from the walltimes of running
 * work and of what the pass has placed, less what the pass has promised. Work without a
 * walltime never ends here, so what needs its nodes cannot be promised a start. A node
 * with shares counts as idle from the end of its last share.
 */
import type { Millis } from "../../base/brand.ts";
import { compareNumber } from "../../base/compare.ts";
import type { NodeReservation } from "../domain/nodes/node-reservation.ts";
import { isDuring } from "../domain/nodes/node-reservation.ts";
import type { ClusterView } from "../domain/view.ts";
import { coverFeatures } from "./cover-features.ts";
import type { Demand } from "./demand.ts";
import type { NodeClass, NodeIndex, OpenNode } from "./node-index.ts";
import { idleCount } from "./node-index.ts";
import type { Profile, Release, Span } from "./profile.ts";
import { createProfile, earliestFit, leastFree, takeSpan } from "./profile.ts";
import { closing } from "./sharing/closed-nodes.ts";

/** The profiles of one pass, by class. */
export interface Availability {
  readonly now: Millis;
  readonly profiles: ReadonlyMap<NodeClass, Profile>;
}

/** A node that the pass has given to work which ends by `end`. */
export interface Taken {
  readonly node: OpenNode;
  readonly end: number;
  readonly isExclusive: boolean;
}

/** A start that can be kept: from when on, and how many nodes of each offer of the demand. */
export interface Slot {
  readonly start: number;
  readonly counts: readonly number[];
}

/** Returns when an allocation that starts at `start` ends at the latest; never is infinite. */
export const endOf = (start: number, walltimeMs: Millis): number =>
  walltimeMs > 0 ? start + walltimeMs : Number.POSITIVE_INFINITY;

/** Returns the profiles as they stand in the middle of a pass that has made no promise yet. */
export function availabilityOf(
  view: ClusterView,
  index: NodeIndex,
  { now, taken }: { readonly now: Millis; readonly taken: readonly Taken[] },
): Availability {
  const releases = new Releases(index);
  for (const { claims, startedAt, walltimeMs } of view.running()) {
    const end = laterThan(now, endOf(startedAt ?? now, walltimeMs));
    for (const claim of claims) {
      const place = view.placeOf(claim.nodeId) ?? -1;
      if (view.nodes[place]?.heldFor !== undefined) continue;
      if (claim.isExclusive) releases.addWhole(index.classAt[place], end);
      else releases.addShare(index.sharedAt.get(place), end);
    }
  }
  for (const { hold, walltimeMs } of view.holders?.() ?? []) {
    const end = laterThan(now, endOf(now, walltimeMs));
    for (const node of hold ?? []) releases.addWhole(index.classAt[view.placeOf(node) ?? -1], end);
  }
  for (const { node, end, isExclusive } of taken) {
    if (isExclusive) releases.addWhole(node.members, laterThan(now, end));
    else releases.addShare(node, laterThan(now, end));
  }
  const profiles = new Map<NodeClass, Profile>();
  for (const [members, all] of releases.finish()) {
    profiles.set(members, createProfile(now, idleCount(members), all));
  }
  return { now, profiles };
}

/** What is past its end is about to end; its nodes are not idle yet. */
const laterThan = (now: Millis, end: number): number => Math.max(now + 1, end);

/** Gathers when the nodes of each class become idle. */
class Releases {
  readonly #byClass: Map<NodeClass, Release[]>;
  readonly #shared = new Set<OpenNode>();
  #members: NodeClass | undefined;
  #last: Release | undefined;

  constructor({ classes }: NodeIndex) {
    this.#byClass = new Map(classes.map((members) => [members, []]));
  }

  /** Adds a node held whole. The nodes of one allocation come one after another and end together. */
  addWhole(members: NodeClass | undefined, at: number): void {
    if (this.#last?.at === at && this.#members === members) {
      this.#last.count++;
      return;
    }
    if (!members) return;
    this.#members = members;
    this.#last = { at, count: 1 };
    this.#byClass.get(members)?.push(this.#last);
  }

  /** Adds a share: the last one to end decides. */
  addShare(node: OpenNode | undefined, at: number): void {
    if (!node) return;
    node.idleFrom = Math.max(node.idleFrom, at);
    this.#shared.add(node);
  }

  /** Returns what was gathered, by class. */
  finish(): ReadonlyMap<NodeClass, readonly Release[]> {
    for (const { members, idleFrom } of this.#shared) this.addWhole(members, idleFrom);
    return this.#byClass;
  }
}

/** Returns the least number of idle nodes of the class from a time until another. */
export function leastIdle({ profiles }: Availability, members: NodeClass, span: readonly [number, number]): number {
  const profile = profiles.get(members);
  return profile ? leastFree(profile, span[0], span[1]) : 0;
}

/** Takes a node without claims, which the pass gives away, out of the profile of its class. */
export function takeIdle(availability: Availability, { node, end }: Taken): void {
  takeFrom(availability, node, { from: availability.now, until: end, count: 1 });
  node.idleFrom = end;
}

/** Takes a node, of which the pass gives another share away, out of the profile for as long as it is idle later. */
export function takeShare(availability: Availability, { node, end }: Taken): void {
  takeFrom(availability, node, { from: node.idleFrom, until: end, count: 1 });
  node.idleFrom = Math.max(node.idleFrom, end);
}

function takeFrom({ profiles }: Availability, { members }: OpenNode, span: Span): void {
  const profile = profiles.get(members);
  if (profile) takeSpan(profile, span);
}

/** Returns the earliest start of `demand` that can be kept, or undefined when none is certain. */
export function earliestSlot(availability: Availability, demand: Demand, walltimeMs: Millis): Slot | undefined {
  if (!demand.needsConformance || demand.byMake.length === 0) return earliestAlike(availability, demand, walltimeMs);
  let earliest: Slot | undefined;
  for (const make of demand.byMake) {
    const slot = earliestAlike(availability, make, walltimeMs);
    if (!slot || (earliest && earliest.start <= slot.start)) continue;
    const counts = demand.offers.map((offer) => slot.counts[make.offers.indexOf(offer)] ?? 0);
    earliest = { start: slot.start, counts };
  }
  return earliest;
}

function earliestAlike(availability: Availability, demand: Demand, walltimeMs: Millis): Slot | undefined {
  const { offers, request } = demand;
  const profiles = offers.map(({ of }) => availability.profiles.get(of) ?? NEVER);
  const closings = offers.map((offer) => closing(demand, offer));
  const isOpen = closings.every((list) => list.length === 0);
  const only =
    isOpen && profiles.length === 1 && Object.keys(request.featureCounts).length === 0 ? profiles[0] : undefined;
  const span = walltimeMs > 0 ? walltimeMs : Number.POSITIVE_INFINITY;
  if (only) {
    const start = earliestFit(only, request.nodesMin, span);
    return start === undefined ? undefined : { start, counts: [request.nodesMin] };
  }
  for (const start of startsOf(profiles, closings.flat())) {
    if (start < availability.now) continue;
    const isClosed = closings.map((list) => list.some((one) => isDuring(one, start, start + span)));
    const available = profiles.map((profile, i) => (isClosed[i] ? 0 : leastFree(profile, start, start + span)));
    const counts = share(demand, available, (i) => leastFree(profiles[i] ?? NEVER, availability.now, start));
    if (counts) return { start, counts };
  }
  return undefined;
}

const NEVER: Profile = { times: [0], free: [0] };

/** Takes the nodes of a slot out of the profiles: the promise is made. */
export function promise(
  availability: Availability,
  demand: Demand,
  { slot, walltimeMs }: { readonly slot: Slot; readonly walltimeMs: Millis },
): void {
  for (const [i, { of }] of demand.offers.entries()) {
    const profile = availability.profiles.get(of);
    const count = slot.counts[i] ?? 0;
    if (profile) takeSpan(profile, { from: slot.start, until: endOf(slot.start, walltimeMs), count });
  }
}

/** The moments at which a start may become possible. */
function startsOf(profiles: readonly Profile[], closings: readonly NodeReservation[]): readonly number[] {
  const times = [...profiles.flatMap((profile) => profile.times), ...closings.map(({ until }) => until)];
  return [...new Set(times)].sort(compareNumber);
}

/**
 * Shares the least number of nodes out among the offers: first what the features need,
 * then those nodes that come free last (`before` counts the ones idle until the start),
 * so that idle ones stay open to others.
 */
function share(
  demand: Demand,
  available: readonly number[],
  before: (offer: number) => number,
): readonly number[] | undefined {
  const { nodesMin, nodesMax } = demand.request;
  const total = available.reduce((sum, count) => sum + count, 0);
  const cover = total < nodesMin ? undefined : coverFeatures(demand, available);
  if (!cover) return undefined;
  let missing = nodesMin - cover.reduce((sum, count) => sum + count, 0);
  if (nodesMin - missing > nodesMax) return undefined;
  const counts = [...cover];
  const fill = (limit: (i: number) => number): void => {
    for (const [i, count] of counts.entries()) {
      const more = Math.max(0, Math.min(missing, limit(i) - count));
      counts[i] = count + more;
      missing -= more;
    }
  };
  fill((i) => (available[i] ?? 0) - before(i));
  fill((i) => available[i] ?? 0);
  return counts;
}
