/**
 * The workload: one run of an allocation's part on one node, as its agent and its runtime
 * know it. The servers see it only through reports.
 */
import type { Millis } from "../../base/brand.ts";
import type { EndCause } from "./allocation.ts";
import type { Fence, Work } from "./assignment.ts";
import type { AllocationId } from "./ids.ts";

/** Names one run of an allocation on this node. */
export interface WorkloadKey {
  readonly allocation: AllocationId;
  readonly attempt: number;
}

/** Returns the key as text: for map keys, logs and folder names. */
export const workloadName = (key: WorkloadKey): string => `${key.allocation}-${key.attempt}`;

/** How a workload ended. */
export interface WorkloadExit {
  readonly exitCode?: number;
  readonly signal?: number;
  readonly cause: EndCause;
  readonly detail?: string;
}

/** What a restarted agent must know besides the work itself. */
export interface WorkloadNote {
  /** The limit in force; 0 is without limit. */
  readonly walltimeMs: Millis;
  /** Set once the agent has begun to end it. */
  readonly endCause?: EndCause;
  /** Set while the work may save its state before it is ended. */
  readonly checkpointUntil?: Millis;
}

/** A workload found on the node by a restarted agent. */
export interface RecoveredWorkload {
  readonly key: WorkloadKey;
  readonly work: Work;
  readonly fence: Fence;
  readonly state: "prepared" | "running" | "ended";
  readonly startedAt?: Millis;
  readonly exit?: WorkloadExit;
  readonly note?: WorkloadNote;
  /** It has said that its state is saved. */
  readonly isSaved?: boolean;
}
