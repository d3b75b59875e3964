/**
 * f4: how near to each other its nodes can be. Of G dragonfly groups of equal size an
 * allocation of n nodes needs g = ceil(n / (nodes / G)); memory locality is not known of
 * nodes, and counts as one half:
 *
 *   β · (1 − g / G) + (1 − β) · 0.5, with β = 0.3 for one node and 0.7 for several
 */
import { clampToUnit } from "./priority.ts";

/** What the factor is computed from. */
export interface TopologyInput {
  readonly nodes: number;
  readonly groups: number;
  /** Of the machine. */
  readonly nodesTotal: number;
}

const NEUTRAL = 0.5;
const BETA_SINGLE = 0.3;
const BETA_SEVERAL = 0.7;

/** Returns the factor; where all nodes are in one group there is nothing to choose, and nearness counts as one half. */
export function topologyFactor({ nodes, groups, nodesTotal }: TopologyInput): number {
  const beta = nodes <= 1 ? BETA_SINGLE : BETA_SEVERAL;
  return beta * nearness(nodes, groups, nodesTotal) + (1 - beta) * NEUTRAL;
}

function nearness(nodes: number, groups: number, nodesTotal: number): number {
  if (groups <= 1) return NEUTRAL;
  const needed = Math.max(1, Math.ceil((nodes * groups) / Math.max(1, nodesTotal)));
  return clampToUnit(1 - needed / groups);
}
