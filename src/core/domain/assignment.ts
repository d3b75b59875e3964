/**
 * What servers and agents tell each other, as data. The agent makes its node look like
 * the desired set and reports what is; both may repeat themselves freely.
 */
import type { Millis } from "../../base/brand.ts";
import { compareNumber } from "../../base/compare.ts";
import type { AllocationSpec, EndCause, StopReason, TaskOf } from "./allocation.ts";
import type { AllocationId, DagId, NodeId, ShortId, UserId } from "./ids.ts";
import type { Claim, NodeCapacity } from "./resources.ts";
import type { TaskRange } from "./task-group.ts";

/** Orders the servers' words; an agent obeys no set with an older fence. */
export interface Fence {
  /** The cluster whose servers speak; empty from an agent that has met none. */
  readonly clusterId: string;
  readonly restoreEpoch: number;
  readonly term: number;
  /** Log index of the state that the set was made from. */
  readonly index: number;
}

/** Orders fences: negative when `a` is older. */
export const compareFence = (a: Fence, b: Fence): number =>
  compareNumber(a.restoreEpoch, b.restoreEpoch) || compareNumber(a.term, b.term) || compareNumber(a.index, b.index);

/** All that a node needs to run its part. */
export interface Work {
  readonly shortId: ShortId;
  readonly user: UserId;
  readonly spec: AllocationSpec;
  readonly claim: Claim;
  /** All nodes of the allocation, in rank order. */
  readonly nodeIds: readonly NodeId[];
  /** Whether a process is started on this node, or the node is only held. */
  readonly runsHere: boolean;
  readonly requeueCount: number;
  /** How often it made room for others; absent is never. */
  readonly preemptedCount?: number;
  /** Whether an earlier run saved its state. */
  readonly isResumed?: boolean;
  /** Absent counts as true. */
  readonly setsSlurmEnv?: boolean;
  readonly task?: TaskOf & { readonly range: TaskRange; readonly count: number };
  readonly dag?: DagId;
}

/** What the agent shall do about one piece of work. */
export type AssignmentAction =
  | { readonly kind: "prepare" }
  | { readonly kind: "run" }
  /** First it may save its state, where time for that is given. */
  | { readonly kind: "stop"; readonly reason: StopReason; readonly checkpointMs?: Millis };

/** One allocation that should be on the node. */
export interface Assignment {
  readonly allocation: AllocationId;
  readonly attempt: number;
  readonly action: AssignmentAction;
  /** From its start; 0 is without limit. */
  readonly walltimeMs: Millis;
  readonly work: Work;
}

/** Everything that should be on a node. */
export interface DesiredSet {
  readonly fence: Fence;
  readonly assignments: readonly Assignment[];
  /** Order to wipe the node, which has nothing else to do; absent: none. */
  readonly wipe?: number;
}

/** What is true of one workload on its node. */
export interface WorkloadReport {
  readonly allocation: AllocationId;
  readonly attempt: number;
  readonly phase: "ready" | "running" | "ended";
  readonly exitCode?: number;
  readonly signal?: number;
  readonly cause?: EndCause;
  readonly detail?: string;
}

/** Who an agent is and what its node has. */
export interface Registration {
  readonly nodeId: NodeId;
  readonly instanceId: string;
  readonly agentVersion: string;
  readonly address: string;
  readonly capacity: NodeCapacity;
}
