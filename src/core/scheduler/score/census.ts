/** What the scores of one pass need to know of all nodes, counted in one walk. */
import { compareNumber } from "../../../base/compare.ts";
import { isSchedulable } from "../../domain/lifecycle.ts";
import type { NodeCapacity } from "../../domain/resources.ts";
import type { NodeView } from "../../domain/view.ts";

export interface Census {
  /** Nodes of each dragonfly group, the largest group first. */
  readonly groupSizes: readonly number[];
  /** Nodes with claims. */
  readonly held: number;
  /** Free nodes of the make that has most of them; undefined where no node tells its make. */
  readonly largestMake: number | undefined;
  /** The mean memory locality of the nodes, from 0 to 1. */
  readonly locality: number;
}

const LOCALITY_UNKNOWN = 0.5;

/** Returns the census of the nodes. Like nodes stand side by side and share one capacity, so few are looked up. */
export function countNodes(nodes: readonly NodeView[]): Census {
  const counts = new Map<NodeCapacity, Count>();
  let held = 0;
  let last: NodeCapacity | undefined;
  let count: Count = { total: 0, free: 0 };
  for (const { capacity, claimCount, state, isDisabled } of nodes) {
    if (capacity !== last) {
      last = capacity;
      count = counts.get(capacity) ?? { total: 0, free: 0 };
      counts.set(capacity, count);
    }
    count.total++;
    if (claimCount > 0) held++;
    else if (isSchedulable(state) && !isDisabled) count.free++;
  }
  return { held, ...sumUp(counts, nodes.length) };
}

interface Count {
  total: number;
  free: number;
}

function sumUp(counts: ReadonlyMap<NodeCapacity, Count>, nodes: number): Omit<Census, "held"> {
  const groups = new Map<number, number>();
  const makes = new Map<string, number>();
  let unified = 0;
  for (const [{ group, conformance, hasUnifiedMemory }, { total, free }] of counts) {
    groups.set(group, (groups.get(group) ?? 0) + total);
    if (conformance !== undefined) makes.set(conformance, (makes.get(conformance) ?? 0) + free);
    if (hasUnifiedMemory) unified += total;
  }
  return {
    groupSizes: [...groups.values()].sort((a, b) => compareNumber(b, a)),
    largestMake: makes.size === 0 ? undefined : Math.max(...makes.values()),
    locality: LOCALITY_UNKNOWN + (1 - LOCALITY_UNKNOWN) * (unified / Math.max(1, nodes)),
  };
}
