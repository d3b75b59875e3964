/**
 * Why a demand does not fit: every reason that applies, with its numbers, and what change
 * of the request would help. First what the cluster lacks, then what it lacks at present.
 */
import { compareNumber, compareText } from "../../base/compare.ts";
import type { Reason } from "../domain/reason.ts";
import { reason } from "../domain/reason.ts";
import type { Amount } from "../domain/resources.ts";
import { coverFeatures } from "./cover-features.ts";
import type { Demand } from "./demand.ts";
import {
  fitsAlikeWhenIdle,
  freeCount,
  freeCountAtStart,
  hasFeatures,
  hasGpuType,
  hasMemoryKind,
  isLargeEnough,
  isOffered,
  needOn,
  suitsClass,
} from "./demand.ts";
import type { NodeClass, NodeIndex } from "./node-index.ts";

/** Returns why `demand`, which does not fit what the pass has left, waits; never empty. */
export function reasonsOf(index: NodeIndex, demand: Demand): readonly Reason[] {
  const suits = sum(demand.offers, (offer) => offer.of.ready);
  const lacking = [
    ...lackingReasons(index, demand),
    ...(suits < demand.request.nodesMin ? fewReasons(index, demand) : []),
  ];
  if (lacking.length > 0) return lacking;
  const counts = featureCountReasons(demand);
  if (counts.length > 0) return counts;
  if (!demand.needsConformance || demand.byMake.length === 0) return busyReasons(demand, suits);
  return makeReasons(demand);
}

/** All nodes must be of one make: the make that has most of them free tells why not. */
function makeReasons(demand: Demand): readonly Reason[] {
  const readyOf = (make: Demand): number => sum(make.offers, ({ of }) => of.ready);
  const freeOf = (make: Demand): number => sum(make.offers, (offer) => freeCount(offer, make.isWhole));
  const [best] = demand.byMake
    .filter(fitsAlikeWhenIdle)
    .sort((a, b) => compareNumber(freeOf(b), freeOf(a)) || compareNumber(readyOf(b), readyOf(a)));
  if (best) return busyReasons(best, readyOf(best));
  const most = Math.max(...demand.byMake.map(readyOf));
  const detail = `needs ${demand.request.nodesMin} of one make, of the most there are ${most}`;
  return [reason("CONFORMANCE", detail, `ask for at most ${most} ${nodes(most)}, or for nodes of any make`)];
}

/** What no node of the cluster has, whatever its state and whoever may use it. */
function lackingReasons(index: NodeIndex, demand: Demand): readonly Reason[] {
  const { request, isShared } = demand;
  if (index.classes.length === 0) return [];
  const reasons: Reason[] = [];
  let pool = index.classes;
  const narrow = (suits: (members: NodeClass) => boolean, why: (pool: readonly NodeClass[]) => Reason): void => {
    const narrowed = pool.filter(suits);
    if (narrowed.length > 0) pool = narrowed;
    else reasons.push(why(pool));
  };
  narrow(
    (members) => hasGpuType(request, members),
    (all) => gpuTypeReason(demand, all),
  );
  narrow(
    (members) => hasFeatures(request, members),
    (all) => featuresReason(demand, all),
  );
  narrow(
    (members) => !demand.needsConformance || members.capacity.conformance !== undefined,
    () => reason("CONFORMANCE", "no node that suits it tells its conformance fingerprint"),
  );
  narrow(
    (members) => isLargeEnough(request, members, isShared),
    (all) => sizeReason(demand, all),
  );
  narrow(
    (members) => hasMemoryKind(request, members),
    (all) => memoryReason(demand, all),
  );
  return reasons;
}

function gpuTypeReason({ request }: Demand, pool: readonly NodeClass[]): Reason {
  const types = [...new Set(pool.map((members) => members.capacity.gpuType))].filter((type) => type !== "");
  if (types.length === 0) return reason("GPU_TYPE", `${request.gpuType}; no node has a GPU`, "ask for no GPU type");
  const known = types.sort(compareText).join(", ");
  return reason("GPU_TYPE", `${request.gpuType}; there is ${known}`, `ask for one of: ${known}`);
}

function featuresReason({ request }: Demand, pool: readonly NodeClass[]): Reason {
  const absent = request.features.filter((feature) => !pool.some((members) => members.features.has(feature)));
  const kind = request.gpuType === "" ? "no node" : `no node with GPU type ${request.gpuType}`;
  if (absent.length > 0) {
    return reason("FEATURES", `${kind} has ${absent.join(" or ")}`, `leave out ${absent.join(" and ")}`);
  }
  return reason("FEATURES", `${kind} has all of ${request.features.join(", ")}`, "ask for fewer features at once");
}

function memoryReason({ request }: Demand, pool: readonly NodeClass[]): Reason {
  if (request.needsUnifiedMemory && !pool.some(({ capacity }) => capacity.hasUnifiedMemory)) {
    return reason("MEMORY_KIND", "none has unified memory", "ask for no unified memory");
  }
  const most = Math.max(...pool.map(({ capacity }) => capacity.memoryBytes - (capacity.cxlMemoryBytes ?? 0)));
  const detail = `the largest have ${memoryText(most)} that is not attached by CXL`;
  return reason("MEMORY_KIND", detail, "allow memory that is attached by CXL");
}

function sizeReason({ request, isWhole, isShared }: Demand, pool: readonly NodeClass[]): Reason {
  const largest = (of: (amount: Amount) => number): number => Math.max(...pool.map((members) => of(members.capacity)));
  const most: Amount = {
    cpus: largest((amount) => amount.cpus),
    memoryBytes: largest((amount) => amount.memoryBytes),
    gpuMilli: largest((amount) => amount.gpuMilli),
  };
  const first = pool[0];
  const need = isWhole || !first ? request.perNode : needOn(request, first, isShared);
  const over = AMOUNTS.filter(({ of }) => of(need) > of(most));
  if (over.length === 0) {
    return reason("NO_NODE_FITS", `none has ${describe(need, AMOUNTS)} together`, "ask for less on each node");
  }
  const detail = `it asks for ${describe(need, over)}, the largest have ${describe(most, over)}`;
  const atMost = over.some(({ of }) => of(most) > 0) ? "at most " : "";
  return reason("NO_NODE_FITS", detail, `ask for ${atMost}${describe(most, over)} on each node`);
}

/** Nodes that would suit exist, but not enough of them can be used. */
function fewReasons(index: NodeIndex, demand: Demand): readonly Reason[] {
  const { request, isShared, vcluster } = demand;
  const like = index.classes.filter((members) => suitsClass(request, members, isShared));
  const offered = like.filter((members) => isOffered(members, vcluster));
  const ready = sum(offered, (members) => members.ready);
  const usable = sum(offered, (members) => members.total);
  const elsewhere = sum(like, (members) => members.total) - usable;
  const needs = `needs ${request.nodesMin}`;
  const change = ready > 0 ? `ask for at most ${ready} ${nodes(ready)}` : undefined;
  const reasons: Reason[] = [];
  if (usable > ready) {
    reasons.push(reason("NODES_UNAVAILABLE", `${needs}, ${ready} can be used, ${unavailable(offered)}`, change));
  }
  if (elsewhere > 0) {
    reasons.push(reason("NOT_DEDICATED", `${needs}, ${ready} can be used, ${elsewhere} are another's`, change));
  }
  const all = usable + elsewhere;
  if (all < request.nodesMin && (all > 0 || index.classes.length === 0)) {
    reasons.push(reason("TOO_FEW_NODES", `${needs}, there ${all === 1 ? "is" : "are"} ${all}`, change));
  }
  return reasons;
}

function unavailable(classes: readonly NodeClass[]): string {
  const counts = new Map<string, number>();
  for (const members of classes) {
    for (const [cause, count] of members.unavailable) counts.set(cause, (counts.get(cause) ?? 0) + count);
  }
  const inOrder = [...counts].sort(([a], [b]) => compareText(a, b));
  return inOrder.map(([cause, count]) => `${count} ${count === 1 ? "is" : "are"} ${cause}`).join(", ");
}

/** Enough nodes suit, but not with the features in the numbers asked for. */
function featureCountReasons(demand: Demand): readonly Reason[] {
  const { featureCounts, nodesMax } = demand.request;
  const reasons: Reason[] = [];
  for (const [feature, count] of Object.entries(featureCounts).sort(([a], [b]) => compareText(a, b))) {
    const have = sum(demand.offers, ({ of }) => (of.features.has(feature) ? of.ready : 0));
    if (have < count) {
      const detail = `needs ${count} with ${feature}, ${have} can be used`;
      reasons.push(reason("FEATURES", detail, `ask for at most ${have} with ${feature}`));
    }
  }
  if (reasons.length > 0) return reasons;
  const cover = coverFeatures(
    demand,
    demand.offers.map(({ of }) => of.ready),
  );
  const least = sum(cover ?? [], (count) => count);
  if (least <= nodesMax) return [];
  const detail = `in these numbers they take ${least} ${nodes(least)}, it may have ${nodesMax}`;
  return [reason("FEATURES", detail, `ask for up to ${least} ${nodes(least)}`)];
}

/** Enough nodes suit and will do, but others hold them. */
function busyReasons(demand: Demand, suits: number): readonly Reason[] {
  const { nodesMin, featureCounts } = demand.request;
  const free = sum(demand.offers, (offer) => freeCount(offer, demand.isWhole));
  const freeAtStart = sum(demand.offers, (offer) => freeCountAtStart(offer, demand.isWhole));
  const detail = `needs ${nodesMin}, ${free} ${free === 1 ? "is" : "are"} free, ${suits} ${suits === 1 ? "suits" : "suit"}`;
  const isPlain = Object.keys(featureCounts).length === 0;
  const change = isPlain && free > 0 ? `ask for at most ${free} ${nodes(free)} to start at once` : undefined;
  const busy = reason("NODES_BUSY", detail, change);
  return free < nodesMin && freeAtStart >= nodesMin ? [reason("PRIORITY"), busy] : [busy];
}

const nodes = (count: number): string => (count === 1 ? "node" : "nodes");

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += of(item);
  return total;
}

interface AmountPart {
  readonly of: (amount: Amount) => number;
  readonly text: (value: number) => string;
}

const MEBIBYTE = 1024 * 1024;
const GIBIBYTE = 1024 * MEBIBYTE;

const memoryText = (bytes: number): string =>
  bytes > 0 && bytes < GIBIBYTE
    ? `${Math.floor(bytes / MEBIBYTE)} MiB`
    : `${Math.floor((bytes / GIBIBYTE) * 100) / 100} GiB`;

const gpusText = (milli: number): string =>
  milli === 0 ? "no GPU" : `${milli / 1000} GPU${milli === 1_000 ? "" : "s"}`;

const AMOUNTS: readonly AmountPart[] = [
  { of: (amount) => amount.cpus, text: (value) => `${value} cpus` },
  { of: (amount) => amount.memoryBytes, text: memoryText },
  { of: (amount) => amount.gpuMilli, text: gpusText },
];

const describe = (amount: Amount, parts: readonly AmountPart[]): string =>
  parts.map(({ of, text }) => text(of(amount))).join(", ");
