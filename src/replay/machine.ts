/** The machine that a trace is replayed on: its nodes with what each has. */
import type { NodeCapacity } from "../core/domain/resources.ts";
import type { CostWeights } from "../core/domain/tenant.ts";

/** One node of a machine. */
export interface MachineNode {
  readonly name: string;
  readonly capacity: NodeCapacity;
}

/** A machine; nodes in the order of their names. */
export interface Machine {
  readonly nodes: readonly MachineNode[];
  /** Whether several allocations may hold shares of one node. */
  readonly sharesNodes: boolean;
  /** Of the nine factors, where the policy goes by score; absent for the default ones. */
  readonly weights?: CostWeights;
}

const GIBIBYTE = 1024 * 1024 * 1024;

/** Returns a machine of equal nodes in so many dragonfly groups, each of consecutive nodes. */
export function equalNodes(count: number, groups = 1): Machine {
  const digits = String(count - 1).length;
  const perGroup = Math.ceil(count / groups);
  const nodes = Array.from({ length: count }, (_, i) => ({
    name: `n${String(i).padStart(digits, "0")}`,
    capacity: {
      cpus: 1,
      memoryBytes: GIBIBYTE,
      gpuMilli: 0,
      gpuType: "",
      features: [],
      group: Math.floor(i / perGroup),
    },
  }));
  return { nodes, sharesNodes: false };
}
