/**
 * How an agent runs work. Workloads outlive the agent: a restarted one finds them with
 * `recover`. Real: io/runtime/process. Each implementation passes tests/contract/runtime.
 */
import type { Millis } from "../base/brand.ts";
import type { EndCause } from "../core/domain/allocation.ts";
import type { Fence, Work } from "../core/domain/assignment.ts";
import type { AllocationId } from "../core/domain/ids.ts";
import type { LogPiece, LogRequest } from "./agent-link.ts";

/** Names one run of an allocation on this node. */
export interface WorkloadKey {
  readonly allocation: AllocationId;
  readonly attempt: number;
}

/** How a workload ended. */
export interface WorkloadExit {
  readonly exitCode?: number;
  readonly signal?: number;
  readonly cause: EndCause;
  readonly detail?: string;
}

/** A workload found on the node by a restarted agent. */
export interface RecoveredWorkload {
  readonly key: WorkloadKey;
  readonly work: Work;
  readonly fence: Fence;
  readonly state: "prepared" | "running" | "ended";
  readonly startedAt?: Millis;
  readonly exit?: WorkloadExit;
}

export interface RuntimeListener {
  onExited(key: WorkloadKey, exit: WorkloadExit): void;
}

export interface Runtime {
  /** What is not guaranteed on this node, one sentence each (no cgroup v2, not root…). */
  readonly limitations: readonly string[];
  /** Lists what earlier runs of the agent left, and follows what is still alive. */
  recover(listener: RuntimeListener): Promise<readonly RecoveredWorkload[]>;
  /** Stages files and limits. Throws LatticeError with the reason it cannot run here. */
  prepare(key: WorkloadKey, work: Work, fence: Fence): Promise<void>;
  /** Starts the process of a prepared workload; returns when it has started. */
  start(key: WorkloadKey, listener: RuntimeListener): Promise<Millis>;
  /** Sends SIGTERM to everything the workload started. */
  terminate(key: WorkloadKey): Promise<void>;
  /** Kills everything the workload started; returns when nothing of it is alive. */
  kill(key: WorkloadKey): Promise<void>;
  /** Drops what the node keeps for a workload that has ended, except its output. */
  release(key: WorkloadKey): Promise<void>;
  /** Streams output until the end, or until `signal` aborts when following. */
  readLogs(request: LogRequest, signal: AbortSignal): AsyncIterable<LogPiece>;
}
