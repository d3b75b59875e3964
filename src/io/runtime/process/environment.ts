/**
 * The environment of a workload: a few defaults of the account, what the user asked for,
 * and on top what Lattice (and Slurm scripts) must be able to rely on.
 */
import type { Work } from "../../../core/domain/assignment.ts";
import type { WorkloadKey } from "../../../core/domain/workload.ts";
import { workloadName } from "../../../core/domain/workload.ts";
import { compressNodeList } from "../../../core/slurm/node-list.ts";
import type { Account } from "./account.ts";

/** Names and values, and the names that could not be passed on. */
export interface WorkloadEnvironment {
  readonly variables: ReadonlyMap<string, string>;
  readonly skipped: readonly string[];
}

/** Whose environment it is. */
export interface EnvironmentRequest {
  readonly key: WorkloadKey;
  readonly work: Work;
  readonly account: Account;
  readonly workdir: string;
  /** The file by which it says that its state is saved. */
  readonly checkpointMarker: string;
}

/** Marks every process of a workload; see `findLineage`. */
export const MARKER = "LATTICE_WORKLOAD";

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** A shell keeps these for itself: some refuse to set them, and would end. */
const RESERVED = new Set(["PPID", "UID", "EUID", "BASHOPTS", "SHELLOPTS", "BASH_VERSINFO", "OPTIND", "LINENO", "IFS"]);

/** Returns the environment that a workload starts with. */
export function environmentOf({
  key,
  work,
  account,
  workdir,
  checkpointMarker,
}: EnvironmentRequest): WorkloadEnvironment {
  const variables = new Map<string, string>([
    ["HOME", account.home],
    ["USER", account.name],
    ["LOGNAME", account.name],
    ["SHELL", account.shell],
    ["PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    ["TMPDIR", "/tmp"],
  ]);
  const skipped: string[] = [];
  for (const [name, value] of Object.entries(work.spec.env)) {
    if (!NAME.test(name) || RESERVED.has(name) || value.includes("\0")) skipped.push(name);
    else variables.set(name, value);
  }
  const set = (entries: Readonly<Record<string, string | number>>) => {
    for (const [name, value] of Object.entries(entries)) variables.set(name, String(value).replaceAll("\0", ""));
  };
  set(latticeVariables(key, work, workdir));
  set(restartVariables(work, checkpointMarker));
  if (work.setsSlurmEnv ?? true) set(slurmVariables(work, account, workdir));
  return { variables, skipped };
}

function latticeVariables(key: WorkloadKey, work: Work, workdir: string): Record<string, string | number> {
  const { spec, claim, task } = work;
  return {
    [MARKER]: workloadName(key),
    LATTICE_ALLOC_ID: key.allocation,
    LATTICE_ATTEMPT: key.attempt,
    LATTICE_JOB_ID: work.shortId,
    LATTICE_JOB_NAME: spec.name,
    LATTICE_TENANT: spec.tenant,
    LATTICE_VCLUSTER: spec.vcluster,
    LATTICE_NODE_ID: claim.nodeId,
    LATTICE_NODELIST: work.nodeIds.join(","),
    LATTICE_NNODES: work.nodeIds.length,
    LATTICE_NODE_RANK: rankOf(work),
    LATTICE_NPROCS: processesOf(work),
    LATTICE_CPUS: claim.cpus,
    LATTICE_MEMORY_BYTES: claim.memoryBytes,
    LATTICE_GPUS: claim.gpuMilli / 1000,
    LATTICE_SUBMIT_DIR: workdir,
    ...(task && { LATTICE_TASK_INDEX: task.index, LATTICE_TASK_GROUP_ID: task.group }),
    ...(work.dag !== undefined && { LATTICE_DAG_ID: work.dag }),
  };
}

/** How to say that the state is saved, and what is known of earlier runs. */
function restartVariables(work: Work, checkpointMarker: string): Record<string, string | number> {
  return {
    LATTICE_CHECKPOINT_MARKER: checkpointMarker,
    LATTICE_RESTART_COUNT: restartsOf(work),
    LATTICE_PREEMPTED_COUNT: work.preemptedCount ?? 0,
    ...(work.isResumed && { LATTICE_RESUMED: 1 }),
  };
}

const restartsOf = ({ requeueCount, preemptedCount = 0 }: Work): number => requeueCount + preemptedCount;

function slurmVariables(work: Work, account: Account, workdir: string): Record<string, string | number> {
  const { spec, claim, task } = work;
  const nodeList = compressNodeList(work.nodeIds);
  return {
    SLURM_JOB_ID: work.shortId,
    SLURM_JOBID: work.shortId,
    SLURM_JOB_NAME: spec.name,
    SLURM_JOB_NODELIST: nodeList,
    SLURM_NODELIST: nodeList,
    SLURM_NNODES: work.nodeIds.length,
    SLURM_JOB_NUM_NODES: work.nodeIds.length,
    SLURM_NTASKS: processesOf(work),
    SLURM_NPROCS: processesOf(work),
    SLURM_TASKS_PER_NODE: perNode(Math.max(1, spec.resources.tasksPerNode), work.nodeIds.length),
    SLURM_JOB_CPUS_PER_NODE: perNode(claim.cpus, work.nodeIds.length),
    SLURM_CPUS_PER_TASK: Math.max(1, spec.resources.cpusPerTask),
    SLURM_CPUS_ON_NODE: claim.cpus,
    SLURM_PROCID: rankOf(work),
    SLURM_NODEID: rankOf(work),
    SLURM_LOCALID: 0,
    SLURMD_NODENAME: claim.nodeId,
    SLURM_SUBMIT_DIR: workdir,
    SLURM_JOB_USER: account.name,
    SLURM_JOB_PARTITION: spec.vcluster,
    SLURM_JOB_ACCOUNT: spec.tenant,
    ...(restartsOf(work) > 0 && { SLURM_RESTART_COUNT: restartsOf(work) }),
    ...(task && {
      SLURM_ARRAY_JOB_ID: task.groupShortId,
      SLURM_ARRAY_TASK_ID: task.index,
      SLURM_ARRAY_TASK_MIN: task.range.start,
      SLURM_ARRAY_TASK_MAX: task.range.end,
      SLURM_ARRAY_TASK_STEP: task.range.step,
      SLURM_ARRAY_TASK_COUNT: task.count,
    }),
  };
}

const rankOf = (work: Work): number => Math.max(0, work.nodeIds.indexOf(work.claim.nodeId));

const processesOf = (work: Work): number => work.nodeIds.length * Math.max(1, work.spec.resources.tasksPerNode);

/** Slurm writes a count that repeats on each node as `4(x2)`. */
const perNode = (count: number, nodes: number): string => (nodes > 1 ? `${count}(x${nodes})` : String(count));
