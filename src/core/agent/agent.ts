/**
 * The state of one node's agent and the words it exchanges with its shell: inputs are
 * what happened, effects are what to do. Only `step` makes a new state from an old one.
 */
import type { Millis } from "../../base/brand.ts";
import { millis } from "../../base/brand.ts";
import type { EndCause } from "../domain/allocation.ts";
import type { DesiredSet, Fence, Work, WorkloadReport } from "../domain/assignment.ts";
import type { RecoveredWorkload, WorkloadExit, WorkloadKey, WorkloadNote } from "../domain/workload.ts";

/**
 * How far a workload has come. `checkpointing` is the time that it has to save its state
 * before it is ended. `killing` lasts until nothing of it is alive and its exit
 * is known: only then it counts as ended.
 */
export const STAGES = [
  "preparing",
  "prepared",
  "starting",
  "running",
  "checkpointing",
  "terminating",
  "killing",
  "ended",
] as const;
/** One of the stages. */
export type Stage = (typeof STAGES)[number];

/** One run of an allocation on this node. */
export interface Workload {
  readonly key: WorkloadKey;
  readonly work: Work;
  readonly stage: Stage;
  /** What the servers want of it: staged only, or running. */
  readonly wants: "hold" | "run";
  /** Whether the latest desired set names it. */
  readonly isNamed: boolean;
  readonly walltimeMs: Millis;
  readonly startedAt?: Millis;
  /** Set once it is to end other than by itself. */
  readonly endCause?: EndCause;
  /** Time that it has to save its state, once it is to end. */
  readonly checkpointMs?: Millis;
  /** It has been asked to save its state: that it ends may mean no more than that it did. */
  readonly isAsked?: boolean;
  /** It has said that what it needs to go on is saved. */
  readonly isSaved?: boolean;
  readonly exit?: WorkloadExit;
  /** Nothing of it is alive. */
  readonly isDead: boolean;
  /** Why it could not be killed, when it could not. */
  readonly killFault?: string;
  readonly report?: ReportState;
}

/** The last report of a workload, and whether the servers hold it durably. */
export interface ReportState {
  readonly phase: WorkloadReport["phase"];
  /** The sequence it was last sent in. */
  readonly sequence: number;
  readonly isCommitted: boolean;
}

/** What survives a restart of the agent, besides the workloads. */
export interface AgentMemory {
  /** Newest fence obeyed. */
  readonly fence: Fence;
  /** When a server was last heard. */
  readonly heardAt: Millis;
  /** Workloads of isolation "stop" end when no server is heard for this long; 0 while no server has said. */
  readonly isolationGraceMs: Millis;
}

/** The agent of one node. */
export interface Agent {
  readonly memory: AgentMemory;
  readonly workloads: ReadonlyMap<string, Workload>;
  /** Sequence of the last reports sent. */
  readonly sequence: number;
}

/** A timer of one workload, or of the agent when `key` is absent. Setting it again replaces it. */
export type TimerName = "walltime" | "checkpoint" | "grace" | "kill" | "isolation" | "report";

/** What happened, and when. */
export type AgentInput = { readonly at: Millis } & (
  | {
      readonly kind: "recovered";
      readonly workloads: readonly RecoveredWorkload[];
      readonly memory: AgentMemory | undefined;
    }
  /** A server took the agent in: what it said before may be lost. */
  | { readonly kind: "welcomed"; readonly isolationGraceMs: Millis }
  /** Any message of any server. */
  | { readonly kind: "server-heard" }
  | { readonly kind: "desired-received"; readonly desired: DesiredSet }
  | { readonly kind: "reports-committed"; readonly sequence: number }
  | { readonly kind: "prepared"; readonly key: WorkloadKey }
  | { readonly kind: "prepare-failed"; readonly key: WorkloadKey; readonly detail: string }
  | { readonly kind: "started"; readonly key: WorkloadKey; readonly startedAt: Millis }
  | { readonly kind: "start-failed"; readonly key: WorkloadKey; readonly detail: string }
  | { readonly kind: "exited"; readonly key: WorkloadKey; readonly exit: WorkloadExit }
  /** The signal is about to be sent. */
  | { readonly kind: "checkpoint-asked"; readonly key: WorkloadKey }
  /** Nothing of the workload takes the signal. */
  | { readonly kind: "checkpoint-unheard"; readonly key: WorkloadKey }
  /** The workload says that its state is saved. */
  | { readonly kind: "checkpointed"; readonly key: WorkloadKey }
  /** Nothing of the workload is alive. */
  | { readonly kind: "killed"; readonly key: WorkloadKey }
  | { readonly kind: "kill-failed"; readonly key: WorkloadKey; readonly detail: string }
  | { readonly kind: "timer-fired"; readonly timer: TimerName; readonly key?: WorkloadKey }
);

/** What the shell is to do. */
export type AgentEffect =
  | { readonly kind: "prepare"; readonly key: WorkloadKey; readonly work: Work; readonly fence: Fence }
  | { readonly kind: "start"; readonly key: WorkloadKey }
  | { readonly kind: "note"; readonly key: WorkloadKey; readonly note: WorkloadNote }
  /** Asks the work to save its state, and looks out for its word that it has. */
  | { readonly kind: "checkpoint"; readonly key: WorkloadKey }
  | { readonly kind: "terminate"; readonly key: WorkloadKey }
  | { readonly kind: "kill"; readonly key: WorkloadKey }
  | { readonly kind: "release"; readonly key: WorkloadKey }
  | { readonly kind: "report"; readonly sequence: number; readonly workloads: readonly WorkloadReport[] }
  | { readonly kind: "set-timer"; readonly timer: TimerName; readonly key?: WorkloadKey; readonly at: Millis }
  /** Must be on disk before the effects that follow it. */
  | { readonly kind: "remember"; readonly memory: AgentMemory }
  /** A desired set older than one already obeyed was ignored. */
  | { readonly kind: "set-refused"; readonly fence: Fence };

/** The memory of an agent that has never met a server. */
export const NO_MEMORY: AgentMemory = {
  fence: { clusterId: "", restoreEpoch: 0, term: 0, index: 0 },
  heardAt: millis(0),
  isolationGraceMs: millis(0),
};

/** The agent of a node before its first input. */
export const EMPTY_AGENT: Agent = { memory: NO_MEMORY, workloads: new Map(), sequence: 0 };

/** Returns the phase that the servers know a stage by; undefined before it is ready. */
export function phaseOf(stage: Stage): WorkloadReport["phase"] | undefined {
  switch (stage) {
    case "preparing":
      return undefined;
    case "prepared":
    case "starting":
      return "ready";
    case "running":
    case "checkpointing":
    case "terminating":
    case "killing":
      return "running";
    case "ended":
      return "ended";
  }
}

/** Returns what is true of each workload that has something to report: the body of a hello. */
export function reportsOf(agent: Agent): readonly WorkloadReport[] {
  return [...agent.workloads.values()].flatMap((w) => reportOf(w) ?? []);
}

/** Returns what is true of a workload, or undefined while it is not ready. */
export function reportOf(workload: Workload): WorkloadReport | undefined {
  const phase = phaseOf(workload.stage);
  if (phase === undefined) return undefined;
  const { allocation, attempt } = workload.key;
  return { allocation, attempt, phase, ...(phase === "ended" && workload.exit) };
}

/** Returns what is wrong with the node, one sentence each. */
export function issuesOf(agent: Agent): readonly string[] {
  return [...agent.workloads.values()].flatMap((w) =>
    w.killFault === undefined ? [] : [`processes of allocation ${w.key.allocation} do not die: ${w.killFault}`],
  );
}
