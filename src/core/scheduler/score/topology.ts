/**
 * f4: how near to each other its nodes can be. Of G dragonfly groups an allocation of n
 * nodes needs g, the fewest that have n nodes together; m is the mean memory locality of
 * the nodes: 1 where processors and GPUs share one memory, else one half, as it is not known:
 *
 *   β · (1 − g / G) + (1 − β) · m, with β = 0.3 for one node and 0.7 for several
 */
import { clampToUnit } from "./priority.ts";

/** What the factor is computed from. */
export interface TopologyInput {
  readonly nodes: number;
  /** Nodes of each group, the largest group first. */
  readonly groupSizes: readonly number[];
  /** From 0 to 1; one half where it is left out. */
  readonly locality?: number;
}

const NEUTRAL = 0.5;
const BETA_SINGLE = 0.3;
const BETA_SEVERAL = 0.7;

/** Returns the factor; where all nodes are in one group there is nothing to choose, and nearness counts as one half. */
export function topologyFactor({ nodes, groupSizes, locality = NEUTRAL }: TopologyInput): number {
  const beta = nodes <= 1 ? BETA_SINGLE : BETA_SEVERAL;
  return beta * nearness(nodes, groupSizes) + (1 - beta) * clampToUnit(locality);
}

function nearness(nodes: number, groupSizes: readonly number[]): number {
  if (groupSizes.length <= 1) return NEUTRAL;
  let needed = 0;
  let left = Math.max(1, nodes);
  for (const size of groupSizes) {
    if (left <= 0) break;
    left -= size;
    needed++;
  }
  return clampToUnit(1 - needed / groupSizes.length);
}
