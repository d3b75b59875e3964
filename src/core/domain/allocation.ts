/**
 * The allocation: the one unit of work (batch job, array task, workflow member, service,
 * session). Records are immutable; `core/state` replaces them.
 */
import type { LogIndex, Millis } from "../../base/brand.ts";
import type { AllocationId, DagId, NodeId, ShortId, TaskGroupId, TenantId, UserId, VClusterId } from "./ids.ts";
import type { AllocationState } from "./lifecycle.ts";
import type { Claim, ResourceRequest } from "./resources.ts";

/** What is started: exactly one of a shell command line, a whole script, an argument vector. */
export type Program =
  | { readonly kind: "entrypoint"; readonly command: string }
  | { readonly kind: "script"; readonly text: string }
  | { readonly kind: "argv"; readonly argv: readonly string[] };

/** How long the work lives. */
export type LifecycleKind = "bounded" | "unbounded" | "reactive";
export type RequeuePolicy = "never" | "on_node_failure" | "always";
/** What becomes of the work when its node is cut off: run it elsewhere at once, or only once it has surely ended. */
export type Isolation = "rerun" | "stop";
export type DependencyCondition = "success" | "failure" | "any" | "corresponding" | "mutex";

/** The settings of an autoscaled service. */
export interface ReactiveSpec {
  readonly nodesMin: number;
  readonly nodesMax: number;
  readonly metric: string;
  readonly target: string;
}

/** One edge to another allocation, task group or workflow member; for `mutex`, the name that only one may hold. */
export interface DependencySpec {
  readonly ref: string;
  readonly condition: DependencyCondition;
}

/** What a user asks for, complete: defaults are filled in before it is proposed. */
export interface AllocationSpec {
  /** Shown to people; within a DAG also the name that dependencies use. */
  readonly name: string;
  readonly tenant: TenantId;
  readonly project: string;
  readonly vcluster: VClusterId;
  readonly tags: Readonly<Record<string, string>>;
  readonly program: Program;
  readonly env: Readonly<Record<string, string>>;
  /** Empty for the home directory of the user. */
  readonly workdir: string;
  readonly stdoutPath: string;
  readonly stderrPath: string;
  readonly runOn: "first" | "every";
  readonly resources: ResourceRequest;
  readonly lifecycle: LifecycleKind;
  readonly reactive?: ReactiveSpec;
  /** From its start; 0 is without limit. */
  readonly walltimeMs: Millis;
  /** It does not start before; absent: at once. */
  readonly begin?: Millis;
  /** It must have ended by then, by its walltime: what cannot any more is cancelled. */
  readonly deadline?: Millis;
  /** 0 (first to be displaced) to 10 (never displaced); also the priority. */
  readonly preemptionClass: number;
  readonly requeuePolicy: RequeuePolicy;
  readonly requeueMax: number;
  readonly isolation: Isolation;
  readonly gracePeriodMs: Millis;
  readonly isSensitive: boolean;
  readonly dependsOn: readonly DependencySpec[];
  /** Parts of the wire contract that this build stores and returns but does not act on. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** Why the work is being ended, and so which state follows once every node confirms. */
export type StopReason =
  | "cancelled"
  | "walltime"
  | "node_failed"
  | "part_failed"
  | "dependency"
  | "head_ended"
  | "preempted"
  | "scaled_down";

/** How far one node's part has come. Phases only move forward within an attempt. */
export const PART_PHASES = ["assigned", "ready", "running", "ended"] as const;
export type PartPhase = (typeof PART_PHASES)[number];

/** Why a part ended other than by itself. */
export type EndCause =
  | "exited"
  | "walltime"
  | "stopped"
  | "lost"
  | "start_failed"
  | "out_of_memory"
  | "supervisor_lost"
  | "node_lost"
  | "isolated"
  /** It saved its state, as it was asked to. */
  | "checkpointed";

/** The part of an allocation on one node. */
export interface Part {
  readonly claim: Claim;
  readonly phase: PartPhase;
  readonly exitCode?: number;
  readonly signal?: number;
  readonly cause?: EndCause;
  readonly detail?: string;
  /** A service gives this node back: it ends while the others go on. */
  readonly isLeaving?: boolean;
  /** On a lost node: when work that must not run twice has surely ended by itself. */
  readonly isolatedUntil?: Millis;
}

/** A dependency as the state machine follows it. */
export interface Dependency {
  readonly condition: DependencyCondition;
  /** The upstream allocation or task group; for `mutex`, absent. */
  readonly on?: AllocationId | TaskGroupId;
  /** The name that only one may hold, for `mutex`. */
  readonly mutex?: string;
}

/** A run that was given up and requeued. */
export interface PastAttempt {
  readonly attempt: number;
  /** In rank order: its output is still there. */
  readonly nodes: readonly NodeId[];
  /** Why it was given up. */
  readonly message: string;
}

/** That the nodes are ending the work, and why. */
export interface Stopping {
  readonly reason: StopReason;
  readonly at: Millis;
  /** A user; of a preemption the number of the allocation that room is made for. */
  readonly by: string;
  /** Time to save its state in, before it is ended; absent where it is not asked to. */
  readonly checkpointMs?: Millis;
}

/** Nodes kept for one allocation. */
export interface Hold {
  /** In ascending order. */
  readonly nodes: readonly NodeId[];
  /** When they are given back at the latest. */
  readonly until: Millis;
}

/** The place of a task in its array. */
export interface TaskOf {
  readonly group: TaskGroupId;
  readonly groupShortId: ShortId;
  readonly index: number;
}

/** The replicated record. */
export interface Allocation {
  readonly id: AllocationId;
  readonly shortId: ShortId;
  /** Log index of the last change: grows with each, and serves optimistic checks. */
  readonly version: LogIndex;
  readonly user: UserId;
  readonly spec: AllocationSpec;
  readonly state: AllocationState;
  /** One sentence for people about the state; may be empty. */
  readonly message: string;
  /** Kept over requeues. */
  readonly submittedAt: Millis;
  readonly startedAt?: Millis;
  readonly endedAt?: Millis;
  /** 1 for the first run, one more after each requeue. */
  readonly attempt: number;
  readonly requeueCount: number;
  readonly pastAttempts?: readonly PastAttempt[];
  /** The limit in force, which an update may have changed. */
  readonly walltimeMs: Millis;
  /** In rank order; empty unless it holds nodes or has ended on them. */
  readonly parts: readonly Part[];
  /** Set while the nodes are ending the work. */
  readonly stopping?: Stopping;
  readonly exitCode?: number;
  readonly signal?: number;
  readonly task?: TaskOf;
  readonly dag?: DagId;
  /** What it still waits for; satisfied ones are removed. */
  readonly waitsFor: readonly Dependency[];
  /** Not placed before this moment (a requeue of isolated work, or a back-off). */
  readonly notBefore?: Millis;
  /** Runs that ended to make room for work of a higher class. */
  readonly preemptedCount?: number;
  /** How long the runs were that ended with their state saved: of the walltime, this is used. Absent where nothing is saved. */
  readonly savedMs?: Millis;
  /** When a service was last given a node more or less. */
  readonly scaledAt?: Millis;
  /** While it waits: the nodes that others let go for it, and that nobody else is given. */
  readonly hold?: Hold;
}

/** Returns the nodes of the allocation, in rank order. */
export const nodesOf = (allocation: Allocation): readonly NodeId[] => allocation.parts.map((p) => p.claim.nodeId);

/** Returns what people call the allocation: its number, or array number and index. */
export const displayId = (allocation: Allocation): string =>
  allocation.task ? `${allocation.task.groupShortId}_${allocation.task.index}` : String(allocation.shortId);
