/**
 * Where to put a share of nodes that have GPUs: where it leaves least to waste. What is
 * left of GPUs is worth nothing without processors to drive them, so with g and c as the
 * fractions of GPUs and processors that are left, the waste of a node is
 *
 *   4 · max(0, g − c) + 0.3 · GPUs left / 8 + 0.1 · c
 *
 * The first term keeps work without GPUs off nodes whose GPUs it would strand; the others
 * fill nodes that are in use. An idle node counts like any other.
 */
import { compareNumber } from "../../base/compare.ts";
import type { Amount, NodeCapacity } from "../domain/resources.ts";
import type { Demand } from "./demand.ts";
import { ownerRank } from "./demand.ts";
import type { OpenNode } from "./node-index.ts";
import { hasRoom, placeOfCpus } from "./node-index.ts";

/** A node on which a share fits. */
export interface Candidate {
  /** The place of its offer in the demand. */
  readonly at: number;
  readonly node: OpenNode;
  readonly wasIdle: boolean;
}

const STRANDED_WEIGHT = 4;
const GPUS_WEIGHT = 0.3;
const CPUS_WEIGHT = 0.1;
const MANY_GPUS_MILLI = 8_000;

/** Returns whether the demand is for shares of nodes with GPUs; feature counts choose by themselves. */
export const isPacked = ({ isWhole, offers, request }: Demand): boolean =>
  !isWhole && offers.some(({ of }) => of.capacity.gpuMilli > 0) && Object.keys(request.featureCounts).length === 0;

/** Returns the nodes on which the demand fits, those of its own vCluster first, then by waste, then by id. */
export function inOrderOfWaste({ offers, request }: Demand): readonly Candidate[] {
  const ranked: (Candidate & { readonly owner: number; readonly waste: number })[] = [];
  for (const [at, offer] of offers.entries()) {
    const { of, need, lender } = offer;
    const owner = ownerRank(offer);
    for (let i = lender === undefined ? placeOfCpus(of, need.cpus) : of.shared.length; i < of.shared.length; i++) {
      const node = of.shared[i];
      if (!node || !hasRoom(node, need)) continue;
      ranked.push({ at, node, wasIdle: false, owner, waste: wasteOf(node.free, need, of.capacity) });
    }
    // Idle nodes of a class are alike, and taken in their order.
    const waste = wasteOf(of.capacity, need, of.capacity);
    for (const node of of.idle.slice(of.idleHead, of.idleHead + request.nodesMax)) {
      ranked.push({ at, node, wasIdle: true, owner, waste });
    }
  }
  return ranked.sort(
    (a, b) =>
      compareNumber(a.owner, b.owner) || compareNumber(a.waste, b.waste) || compareNumber(a.node.order, b.node.order),
  );
}

function wasteOf(free: Amount, need: Amount, capacity: NodeCapacity): number {
  const cpus = (free.cpus - need.cpus) / Math.max(1, capacity.cpus);
  const gpuMilli = free.gpuMilli - need.gpuMilli;
  const gpus = gpuMilli / Math.max(1, capacity.gpuMilli);
  return STRANDED_WEIGHT * Math.max(0, gpus - cpus) + (GPUS_WEIGHT * gpuMilli) / MANY_GPUS_MILLI + CPUS_WEIGHT * cpus;
}
