/**
 * How an agent runs work. Workloads outlive the agent: a restarted one finds them with
 * `recover`. Real: io/runtime/process. Each implementation passes tests/contract/runtime.
 */
import type { Millis } from "../base/brand.ts";
import type { Fence, Work } from "../core/domain/assignment.ts";
import type { RecoveredWorkload, WorkloadExit, WorkloadKey, WorkloadNote } from "../core/domain/workload.ts";
import type { LogPiece, LogRequest } from "./agent-link.ts";

/** Is told how workloads end. */
export interface RuntimeListener {
  /** Called once for each workload that was started, also when its supervisor vanished. */
  onExited(key: WorkloadKey, exit: WorkloadExit): void;
}

/** Is told how a workload takes it that it is asked to save its state. */
export interface CheckpointListener {
  /** Called just before the signal is sent: an exit that is told earlier has nothing to do with it. */
  onAsking(): void;
  /** Called once when the workload says that its state is saved. */
  onSaved(): void;
}

export interface Runtime {
  /** What is not guaranteed on this node, one sentence each (no cgroup v2, not root…). */
  readonly limitations: readonly string[];
  /** Lists what earlier runs of the agent left, and follows what is still alive. Kills what nobody knows. */
  recover(listener: RuntimeListener): Promise<readonly RecoveredWorkload[]>;
  /** Stages files and limits. Throws LatticeError with the reason it cannot run here. */
  prepare(key: WorkloadKey, work: Work, fence: Fence): Promise<void>;
  /** Starts the process of a prepared workload; returns when it has started. */
  start(key: WorkloadKey, listener: RuntimeListener): Promise<Millis>;
  /** Keeps with the workload what a restarted agent must know of it. */
  note(key: WorkloadKey, note: WorkloadNote): Promise<void>;
  /**
   * Sends SIGUSR1 to those processes of the workload that take it, and looks out for its
   * marker file until it has ended. Returns false, and sends nothing, where none takes it.
   */
  checkpoint(key: WorkloadKey, listener: CheckpointListener): Promise<boolean>;
  /** Sends SIGTERM to everything the workload started. */
  terminate(key: WorkloadKey): Promise<void>;
  /** Kills everything the workload started; returns when nothing of it is alive. */
  kill(key: WorkloadKey): Promise<void>;
  /** Drops what the node keeps for a workload that has ended, except its output. */
  release(key: WorkloadKey): Promise<void>;
  /** Returns what keeps this node from running work, one sentence each: found by trying. */
  probe(): Promise<readonly string[]>;
  /** Lets go of the node; workloads go on. */
  close(): Promise<void>;
  /** Streams output until the end, or until `signal` aborts when following. */
  readLogs(request: LogRequest, signal: AbortSignal): AsyncIterable<LogPiece>;
}
