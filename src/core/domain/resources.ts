/**
 * What an allocation asks of nodes and what it then holds of them.
 *
 * Invariant INV-S1: the claims on a node never exceed it, Σ claim.x ≤ capacity.x for
 * x in cpus, memoryBytes, gpuMilli; an exclusive claim is the only one on its node.
 */
import type { NodeId } from "./ids.ts";

/** An amount of a node. GPUs are counted in thousandths of a device. */
export interface Amount {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly gpuMilli: number;
}

/** What a node has, as its agent found or was told. */
export interface NodeCapacity extends Amount {
  readonly gpuType: string;
  readonly features: readonly string[];
  /** Dragonfly group. */
  readonly group: number;
}

/** How near to each other the nodes should be. */
export type TopologyHint = "tight" | "spread" | "any";

/** What an allocation asks for. */
export interface ResourceRequest {
  readonly nodesMin: number;
  readonly nodesMax: number;
  /** On each node; a zero asks for none of it in particular. All zero means the whole node. */
  readonly perNode: Amount;
  readonly isExclusive: boolean;
  /** Empty when any will do. */
  readonly gpuType: string;
  readonly features: readonly string[];
  /** At least this many of the nodes have the feature. */
  readonly featureCounts: Readonly<Record<string, number>>;
  readonly topology: TopologyHint;
  readonly tasksPerNode: number;
  readonly cpusPerTask: number;
}

/** What one allocation holds of one node. */
export interface Claim extends Amount {
  readonly nodeId: NodeId;
  readonly isExclusive: boolean;
}

/** The amount of nothing at all. */
export const NOTHING: Amount = { cpus: 0, memoryBytes: 0, gpuMilli: 0 };

/** Returns a + b. */
export const addAmounts = (a: Amount, b: Amount): Amount => ({
  cpus: a.cpus + b.cpus,
  memoryBytes: a.memoryBytes + b.memoryBytes,
  gpuMilli: a.gpuMilli + b.gpuMilli,
});

/** Returns a − b; components may become negative. */
export const subtractAmounts = (a: Amount, b: Amount): Amount => ({
  cpus: a.cpus - b.cpus,
  memoryBytes: a.memoryBytes - b.memoryBytes,
  gpuMilli: a.gpuMilli - b.gpuMilli,
});

/** Returns whether `need` fits into `free` in every component. */
export const fits = (need: Amount, free: Amount): boolean =>
  need.cpus <= free.cpus && need.memoryBytes <= free.memoryBytes && need.gpuMilli <= free.gpuMilli;

/** Returns whether the request names no amounts, which asks for whole nodes. */
export const asksForWholeNode = (request: ResourceRequest): boolean =>
  request.isExclusive ||
  (request.perNode.cpus === 0 && request.perNode.memoryBytes === 0 && request.perNode.gpuMilli === 0);

/**
 * Returns the claim that `request` makes on a node: all of it, or the share asked for
 * where the vCluster shares nodes. Memory that was not asked for comes in proportion to
 * the processors, so that shares cannot starve each other.
 */
export function claimOn(
  request: ResourceRequest,
  node: { readonly id: NodeId; readonly capacity: NodeCapacity },
  isShared: boolean,
): Claim {
  const { id: nodeId, capacity } = node;
  if (!isShared || asksForWholeNode(request)) {
    const { cpus, memoryBytes, gpuMilli } = capacity;
    return { nodeId, cpus, memoryBytes, gpuMilli, isExclusive: true };
  }
  const { perNode } = request;
  const cpus = Math.max(1, perNode.cpus);
  const proportional = Math.floor((capacity.memoryBytes / Math.max(1, capacity.cpus)) * cpus);
  const memoryBytes = perNode.memoryBytes > 0 ? perNode.memoryBytes : proportional;
  return { nodeId, cpus, memoryBytes, gpuMilli: perNode.gpuMilli, isExclusive: false };
}
