/**
 * What one shape of request means on this cluster: which classes of nodes suit it and
 * what it would hold of a node of each. Allocations of the same shape (the tasks of an
 * array) share one demand, so the classes are looked through once a pass for all of them.
 */
import type { NodeId, VClusterId } from "../domain/ids.ts";
import { nodeId } from "../domain/ids.ts";
import type { NodeReservation } from "../domain/nodes/node-reservation.ts";
import type { Amount, ResourceRequest, TopologyHint } from "../domain/resources.ts";
import { asksForWholeNode, claimOn, fits } from "../domain/resources.ts";
import type { VCluster } from "../domain/tenant.ts";
import type { PendingView } from "../domain/view.ts";
import { coverFeatures } from "./cover-features.ts";
import type { NodeClass, NodeIndex } from "./node-index.ts";
import { hasRoom, idleCount, placeOfCpus } from "./node-index.ts";

/** A class of nodes that suits a demand. */
export interface Offer {
  readonly of: NodeClass;
  /** What the demand would hold of each node. */
  readonly need: Amount;
  /** Dedicated to the demand's own vCluster: these are taken first. */
  readonly isOwn: boolean;
  /** The vCluster that lends these nodes: they are taken last, and only while nobody is on them. */
  readonly lender?: VClusterId;
}

export interface Demand {
  readonly request: ResourceRequest;
  readonly vcluster: VClusterId;
  /** Whether it may hold a share of a node beside others. */
  readonly isShared: boolean;
  /** Whether it holds all of each node. */
  readonly isWhole: boolean;
  /** In the order in which they are taken. */
  readonly offers: readonly Offer[];
  /** All of its nodes must be of one make. */
  readonly needsConformance: boolean;
  /** Which groups whole nodes come from: as the request says, or those that are used most. */
  readonly grouping: TopologyHint | "fullest";
  /** The same on the nodes of each make alone; empty where all offers are of one. */
  readonly byMake: readonly Demand[];
  /** Reservations of administrators that do not admit it; absent where there are none. */
  readonly closed?: readonly NodeReservation[];
}

/** How the vCluster of an allocation has it placed. */
export interface DemandTraits {
  readonly isShared: boolean;
  /** Its nodes must be of one make, although it does not ask for that. */
  readonly needsConformance?: boolean;
  /** It gets no more nodes than it must have, where others have most already. */
  readonly isDense?: boolean;
  readonly closed?: readonly NodeReservation[];
}

/** Returns how the vCluster of an allocation has it placed. */
export function traitsOf(vcluster: VCluster | undefined, { isSensitive }: PendingView): DemandTraits {
  return {
    isShared: !isSensitive && vcluster?.sharesNodes === true,
    needsConformance: vcluster?.schedulerType === "sensitive_reservation",
    isDense: vcluster?.schedulerType === "service_bin_pack",
  };
}

/** Requests are never changed, so the text of each is made once for all passes. */
const SHAPES = new WeakMap<ResourceRequest, string>();

/** Returns a text that is equal for requests of the same demand within one vCluster, and only for them. */
export function shapeOf(request: ResourceRequest): string {
  const known = SHAPES.get(request);
  if (known !== undefined) return known;
  const { nodesMin, nodesMax, perNode, isExclusive, gpuType, features, featureCounts } = request;
  const numbers = `${nodesMin} ${nodesMax} ${perNode.cpus} ${perNode.memoryBytes} ${perNode.gpuMilli}`;
  const plain = `${isExclusive} ${numbers} ${gpuType}${extraShapeOf(request)}`;
  const counts = Object.entries(featureCounts);
  const shape = features.length + counts.length === 0 ? plain : `${plain}\n${JSON.stringify([features, counts])}`;
  SHAPES.set(request, shape);
  return shape;
}

function extraShapeOf({ topology, needsConformance, needsUnifiedMemory, allowsCxlMemory }: ResourceRequest): string {
  const words = [
    topology === "any" ? "" : ` ${topology}`,
    needsConformance ? " conformant" : "",
    needsUnifiedMemory ? " unified" : "",
    allowsCxlMemory ? " cxl" : "",
  ];
  return words.join("");
}

/** Returns the demand of an allocation. */
export function demandOf(index: NodeIndex, pending: PendingView, traits: DemandTraits): Demand {
  const { vcluster } = pending;
  const request = traits.isDense ? leastOf(pending.request) : pending.request;
  const { isShared } = traits;
  const needsConformance = traits.needsConformance === true || request.needsConformance === true;
  const own: Offer[] = [];
  const common: Offer[] = [];
  for (const members of index.classes) {
    if (!isOffered(members, vcluster) || !suitsClass(request, members, isShared)) continue;
    if (needsConformance && members.capacity.conformance === undefined) continue;
    const isOwn = members.dedicatedTo !== undefined;
    (isOwn ? own : common).push({ of: members, need: needOn(request, members, isShared), isOwn });
  }
  const isWhole = holdsAll(request, isShared);
  const grouping = traits.isDense && request.topology === "any" ? "fullest" : request.topology;
  const offers = own.length === 0 ? common : [...own, ...common];
  const plain: Demand = { request, vcluster, isShared, isWhole, needsConformance, grouping, offers, byMake: NONE };
  const demand = traits.closed && traits.closed.length > 0 ? { ...plain, closed: traits.closed } : plain;
  return isOfOneMake(demand) ? demand : { ...demand, byMake: splitByMake(demand) };
}

/** Features in numbers may take more nodes than the least. */
const leastOf = (request: ResourceRequest): ResourceRequest =>
  Object.keys(request.featureCounts).length > 0 ? request : { ...request, nodesMax: request.nodesMin };

/** Returns the demand with other offers. */
export function withOffers(demand: Demand, offers: readonly Offer[]): Demand {
  const changed = { ...demand, offers, byMake: NONE };
  return isOfOneMake(changed) ? changed : { ...changed, byMake: splitByMake(changed) };
}

const NONE: readonly Demand[] = [];

/** Most clusters are of one make, which must cost nothing. */
function isOfOneMake({ offers, request }: Demand): boolean {
  if (request.nodesMax <= 1) return true;
  const make = offers[0]?.of.capacity.conformance;
  return offers.every(({ of }) => of.capacity.conformance === make);
}

/** Returns in which order offers are taken: the own ones first, what others lend last. */
export const ownerRank = ({ isOwn, lender }: Offer): number => (isOwn ? 0 : lender === undefined ? 1 : 2);

/** Returns the demand on each make alone, the first offer's first. */
function splitByMake(demand: Demand): readonly Demand[] {
  const makes = new Map<string | undefined, Offer[]>();
  for (const offer of demand.offers) {
    const { conformance } = offer.of.capacity;
    const known = makes.get(conformance);
    if (known) known.push(offer);
    else makes.set(conformance, [offer]);
  }
  return [...makes.values()].map((offers) => ({ ...demand, offers }));
}

/** Returns whether the vCluster may use the nodes of the class. */
export const isOffered = (members: NodeClass, vcluster: VClusterId): boolean =>
  members.dedicatedTo === undefined || members.dedicatedTo === vcluster;

/** Returns whether the class has the GPU type asked for. */
export const hasGpuType = (request: ResourceRequest, members: NodeClass): boolean =>
  request.gpuType === "" || members.capacity.gpuType === request.gpuType;

/** Returns whether the class has all the features asked for. */
export const hasFeatures = (request: ResourceRequest, members: NodeClass): boolean =>
  request.features.every((feature) => members.features.has(feature));

/** Returns whether the class has memory of the kind asked for, and of that enough. */
export function hasMemoryKind(request: ResourceRequest, { capacity }: NodeClass): boolean {
  if (request.needsUnifiedMemory && !capacity.hasUnifiedMemory) return false;
  const { cxlMemoryBytes = 0 } = capacity;
  if (cxlMemoryBytes === 0 || request.allowsCxlMemory) return true;
  return capacity.memoryBytes > cxlMemoryBytes && request.perNode.memoryBytes <= capacity.memoryBytes - cxlMemoryBytes;
}

/** Returns whether an empty node of the class is large enough. */
export const isLargeEnough = (request: ResourceRequest, members: NodeClass, isShared: boolean): boolean =>
  fits(holdsAll(request, isShared) ? request.perNode : needOn(request, members, isShared), members.capacity);

/** Returns on how many nodes of an offer the demand fits with what is left of them. */
export function freeCount(offer: Offer, isWhole: boolean): number {
  const { of, need } = offer;
  let count = idleCount(of);
  if (isWhole) return count;
  for (let i = placeOfCpus(of, need.cpus); i < of.shared.length; i++) {
    const node = of.shared[i];
    if (node && hasRoom(node, need)) count++;
  }
  return count;
}

/** Returns on how many nodes of an offer the demand fitted when the pass began. */
export function freeCountAtStart(offer: Offer, isWhole: boolean): number {
  const idle = offer.of.idle.length;
  return isWhole ? idle : idle + offer.of.sharedAtStart.filter((room) => hasRoom(room, offer.need)).length;
}

/** Returns whether the demand would fit if no node were in use. */
export function fitsWhenIdle(demand: Demand): boolean {
  if (demand.needsConformance && demand.byMake.length > 0) return demand.byMake.some(fitsAlikeWhenIdle);
  return fitsAlikeWhenIdle(demand);
}

/** Returns the same for a demand whose offers may all be used together. */
export function fitsAlikeWhenIdle(demand: Demand): boolean {
  return suffices(
    demand,
    demand.offers.map(({ of }) => of.ready),
  );
}

/** Returns whether so many nodes of each offer are enough. */
export function suffices(demand: Demand, counts: readonly number[]): boolean {
  const { nodesMin, nodesMax } = demand.request;
  if (counts.reduce((sum, count) => sum + count, 0) < nodesMin) return false;
  const cover = coverFeatures(demand, counts);
  return cover !== undefined && cover.reduce((sum, count) => sum + count, 0) <= nodesMax;
}

const holdsAll = (request: ResourceRequest, isShared: boolean): boolean => !isShared || asksForWholeNode(request);

/** Returns whether an empty node of the class would do. */
export const suitsClass = (request: ResourceRequest, members: NodeClass, isShared: boolean): boolean =>
  hasGpuType(request, members) &&
  hasFeatures(request, members) &&
  hasMemoryKind(request, members) &&
  isLargeEnough(request, members, isShared);

/** Returns what the request would hold of an empty node of the class: the same on each, so any id serves. */
export const needOn = (request: ResourceRequest, members: NodeClass, isShared: boolean): Amount =>
  claimOn(request, { id: ANY_NODE, capacity: members.capacity }, isShared);

const ANY_NODE: NodeId = nodeId("");
