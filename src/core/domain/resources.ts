/**
 * What an allocation asks of nodes and what it then holds of them.
 *
 * Invariant INV-S1: the claims on a node never exceed it, Σ claim.x ≤ capacity.x for
 * x in cpus, memoryBytes, gpuMilli, and of each GPU at most all; an exclusive claim is the
 * only one on its node.
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
  /** Equal on nodes that are of one make: the same hardware, firmware and drivers. Absent where nobody knows. */
  readonly conformance?: string;
  /** Whether processors and GPUs share one memory. */
  readonly hasUnifiedMemory?: boolean;
  /** Of the memory, what is attached by CXL: slower than the rest. */
  readonly cxlMemoryBytes?: number;
  /** What it draws at most. */
  readonly powerWatts?: number;
}

/** How near to each other the nodes should be. */
export const TOPOLOGY_HINTS = ["tight", "spread", "any"] as const;
export type TopologyHint = (typeof TOPOLOGY_HINTS)[number];

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
  /** All nodes are of one make; otherwise that is preferred where it can be had. */
  readonly needsConformance?: boolean;
  readonly needsUnifiedMemory?: boolean;
  /** Memory that is attached by CXL will do. */
  readonly allowsCxlMemory?: boolean;
  /** Storage bandwidth that all its nodes together draw, in MB/s. */
  readonly storageMbps?: number;
}

/** What a claim holds of one GPU. */
export interface GpuShare {
  /** Its place among the GPUs of the node. */
  readonly device: number;
  /** In thousandths. */
  readonly milli: number;
}

/** What one allocation holds of one node. */
export interface Claim extends Amount {
  readonly nodeId: NodeId;
  readonly isExclusive: boolean;
  /** Which GPUs, of a share that holds any; chosen when the claim is applied. */
  readonly gpus?: readonly GpuShare[];
}

const WHOLE_GPU = 1_000;

/** Returns what each GPU of an empty node has. */
export const wholeGpus = ({ gpuMilli }: Amount): readonly number[] =>
  Array.from({ length: Math.floor(gpuMilli / WHOLE_GPU) }, () => WHOLE_GPU);

/**
 * Returns the GPUs for a share, or undefined when what is free of each will not do: whole
 * ones, and for a part the one that has least left of those that have enough, so that
 * whole ones stay whole.
 */
export function takeGpus(free: readonly number[], gpuMilli: number): readonly GpuShare[] | undefined {
  const part = gpuMilli % WHOLE_GPU;
  let missing = (gpuMilli - part) / WHOLE_GPU;
  const shares: GpuShare[] = [];
  let partOf = -1;
  if (part > 0) {
    for (const [device, left] of free.entries()) {
      if (left >= part && (partOf < 0 || left < (free[partOf] ?? 0))) partOf = device;
    }
    if (partOf < 0) return undefined;
    shares.push({ device: partOf, milli: part });
  }
  for (let device = 0; device < free.length && missing > 0; device++) {
    if (device === partOf || free[device] !== WHOLE_GPU) continue;
    shares.push({ device, milli: WHOLE_GPU });
    missing--;
  }
  return missing > 0 ? undefined : shares;
}

/** Returns what is free of each GPU once the shares are taken. */
export function withoutGpus(free: readonly number[], shares: readonly GpuShare[]): readonly number[] {
  const left = [...free];
  for (const { device, milli } of shares) left[device] = (left[device] ?? 0) - milli;
  return left;
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
