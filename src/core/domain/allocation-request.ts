/**
 * What a caller wrote, before directives and defaults: every field may be absent. Faces
 * (proto, REST) fill one in; `core/slurm` fills one from the directives of a script;
 * `admission.ts` merges them and completes the spec.
 */
import type { DependencySpec, Isolation, LifecycleKind, ReactiveSpec, RequeuePolicy } from "./allocation.ts";
import type { Amount, TopologyHint } from "./resources.ts";
import type { TaskRange } from "./task-group.ts";

export interface AllocationRequest {
  readonly name?: string;
  readonly tenant?: string;
  readonly project?: string;
  readonly vcluster?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly entrypoint?: string;
  readonly script?: string;
  readonly argv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly workdir?: string;
  readonly stdoutPath?: string;
  readonly stderrPath?: string;
  readonly runOn?: string;
  readonly nodesMin?: number;
  readonly nodesMax?: number;
  readonly perNode?: Partial<Amount>;
  readonly isExclusive?: boolean;
  readonly gpuType?: string;
  readonly features?: readonly string[];
  readonly featureCounts?: Readonly<Record<string, number>>;
  readonly topology?: TopologyHint | string;
  readonly needsConformance?: boolean;
  readonly needsUnifiedMemory?: boolean;
  readonly allowsCxlMemory?: boolean;
  readonly storageMbps?: number;
  readonly tasks?: number;
  readonly tasksPerNode?: number;
  readonly cpusPerTask?: number;
  /** Multiplied by the processors on each node. */
  readonly memoryBytesPerCpu?: number;
  readonly lifecycle?: LifecycleKind | string;
  readonly reactive?: Partial<ReactiveSpec>;
  readonly walltimeMs?: number;
  /** As a submitter writes moments: `core/slurm/moment.ts`. */
  readonly begin?: string;
  readonly deadline?: string;
  readonly preemptionClass?: number;
  readonly requeuePolicy?: RequeuePolicy | string;
  readonly requeueMax?: number;
  readonly isolation?: Isolation | string;
  readonly gracePeriodMs?: number;
  readonly isSensitive?: boolean;
  readonly dependsOn?: readonly (Omit<DependencySpec, "condition"> & { readonly condition: string })[];
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** A whole submission. */
export type Submission =
  | { readonly kind: "single"; readonly request: AllocationRequest }
  | { readonly kind: "dag"; readonly dagId?: string; readonly requests: readonly AllocationRequest[] }
  | {
      readonly kind: "task-group";
      readonly template: AllocationRequest;
      readonly ranges: readonly TaskRange[];
      readonly concurrentMax: number;
    };

/** What the directives of a script ask for. */
export interface Directives {
  readonly request: AllocationRequest;
  /** Set by --array. */
  readonly array?: { readonly ranges: readonly TaskRange[]; readonly concurrentMax: number };
  /** What was understood but not obeyed, one sentence each. */
  readonly warnings: readonly string[];
}
