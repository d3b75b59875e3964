/** Allocations, task groups and what belongs to them, as REST shows them: the known fields first, ours beside them. */
import type { Millis } from "../../base/brand.ts";
import type { Allocation, AllocationSpec, Part } from "../../core/domain/allocation.ts";
import { nodesOf } from "../../core/domain/allocation.ts";
import type { AllocationDetail, AllocationEvent, DagDetail, Explanation } from "../../core/domain/detail.ts";
import type { TaskGroup } from "../../core/domain/task-group.ts";

const HOUR_MS = 3_600_000;

/** Returns a moment as RFC 3339 text, null when there is none. */
export const momentJson = (at: Millis | undefined): string | null =>
  at === undefined ? null : new Date(at).toISOString();

/** Shows an allocation or task group. */
export function allocationJson(detail: AllocationDetail) {
  return detail.kind === "allocation" ? allocationFields(detail) : groupFields(detail);
}

/** Shows an allocation in a list, where the text of its script would be too much. */
export function listedAllocationJson(detail: AllocationDetail) {
  const { script: _, ...fields } = allocationJson(detail);
  return fields;
}

function allocationFields({ allocation, reasons }: Extract<AllocationDetail, { kind: "allocation" }>) {
  return {
    ...headFields(allocation),
    state: allocation.state,
    message: allocation.message,
    assigned_nodes: nodesOf(allocation),
    started_at: momentJson(allocation.startedAt),
    exit_code: allocation.exitCode ?? null,
    signal: allocation.signal ?? null,
    attempt: allocation.attempt,
    requeue_count: allocation.requeueCount,
    preempted_count: allocation.preemptedCount ?? 0,
    saved_seconds: (allocation.savedMs ?? 0) / 1000,
    walltime_hours: allocation.walltimeMs / HOUR_MS,
    walltime_seconds: allocation.walltimeMs / 1000,
    ...(allocation.task && { task_group_id: allocation.task.group, task_index: allocation.task.index }),
    ...(allocation.dag !== undefined && { dag_id: allocation.dag }),
    ...(allocation.stopping && {
      stopping: allocation.stopping.reason,
      stopping_since: momentJson(allocation.stopping.at),
      stopping_by: allocation.stopping.by,
    }),
    ...(allocation.hold && {
      held_nodes: allocation.hold.nodes,
      held_until: momentJson(allocation.hold.until),
    }),
    ...(allocation.notBefore !== undefined && { not_before: momentJson(allocation.notBefore) }),
    reasons,
    parts: allocation.parts.map(partJson),
    ...specFields(allocation.spec),
  };
}

function groupFields({ group, state, reasons }: Extract<AllocationDetail, { kind: "task-group" }>) {
  return {
    ...headFields(group),
    state,
    message: "",
    assigned_nodes: [],
    walltime_hours: group.spec.walltimeMs / HOUR_MS,
    walltime_seconds: group.spec.walltimeMs / 1000,
    task_group: {
      total: group.total,
      ...group.counts,
      max_concurrent: group.concurrentMax,
      ranges: group.ranges,
      is_cancelled: group.isCancelled,
    },
    reasons,
    ...specFields(group.spec),
  };
}

const headFields = (record: Allocation | TaskGroup) => ({
  id: record.id,
  short_id: record.shortId,
  version: record.version,
  name: record.spec.name,
  tenant: record.spec.tenant,
  project: record.spec.project,
  vcluster: record.spec.vcluster,
  user: record.user,
  created_at: momentJson(record.submittedAt),
  completed_at: momentJson(record.endedAt),
});

function specFields(spec: AllocationSpec) {
  const { resources, program } = spec;
  return {
    labels: spec.tags,
    entrypoint: program.kind === "entrypoint" ? program.command : null,
    argv: program.kind === "argv" ? program.argv : null,
    script: program.kind === "script" ? program.text : null,
    env: spec.env,
    workdir: spec.workdir,
    stdout_path: spec.stdoutPath,
    stderr_path: spec.stderrPath,
    run_on: spec.runOn,
    min_nodes: resources.nodesMin,
    max_nodes: resources.nodesMax,
    cpus_per_node: resources.perNode.cpus,
    memory_bytes_per_node: resources.perNode.memoryBytes,
    gpus_per_node: resources.perNode.gpuMilli / 1000,
    gpu_type: resources.gpuType,
    features: resources.features,
    feature_counts: resources.featureCounts,
    exclusive: resources.isExclusive,
    topology: resources.topology,
    same_conformance: resources.needsConformance ?? false,
    unified_memory: resources.needsUnifiedMemory ?? false,
    cxl_memory: resources.allowsCxlMemory ?? false,
    storage_bandwidth_mbps: resources.storageMbps ?? 0,
    tasks_per_node: resources.tasksPerNode,
    cpus_per_task: resources.cpusPerTask,
    lifecycle: spec.lifecycle,
    ...(spec.reactive && {
      reactive_min_nodes: spec.reactive.nodesMin,
      reactive_max_nodes: spec.reactive.nodesMax,
      reactive_metric: spec.reactive.metric,
      reactive_target: spec.reactive.target,
    }),
    priority: spec.preemptionClass,
    requeue_policy: spec.requeuePolicy,
    max_requeue: spec.requeueMax,
    isolation: spec.isolation,
    grace_period_seconds: spec.gracePeriodMs / 1000,
    sensitive: spec.isSensitive,
    depends_on: spec.dependsOn.map((d) => ({ ref_id: d.ref, condition: d.condition })),
    ...spec.extra,
  };
}

const partJson = ({ claim, phase, exitCode, signal, cause, detail }: Part) => ({
  node_id: claim.nodeId,
  phase,
  exit_code: exitCode ?? null,
  signal: signal ?? null,
  cause: cause ?? null,
  detail: detail ?? "",
  cpus: claim.cpus,
  memory_bytes: claim.memoryBytes,
  gpus: claim.gpuMilli / 1000,
  exclusive: claim.isExclusive,
});

/** Shows why an allocation waits. */
export const explanationJson = (explanation: Explanation) => ({
  allocation_id: explanation.id,
  short_id: explanation.shortId,
  state: explanation.state,
  reasons: explanation.reasons,
  position: explanation.position,
  starts_by: momentJson(explanation.start?.by),
  start_promised: explanation.start?.isPromised ?? false,
  starts_likely: momentJson(explanation.start?.likely),
  starts_earliest: momentJson(explanation.start?.earliest),
});

/** Shows a change of an allocation. */
export const eventJson = (event: AllocationEvent) => ({
  allocation_id: event.allocation,
  short_id: event.shortId,
  tenant: event.tenant,
  old_state: event.from ?? null,
  new_state: event.to,
  message: event.message,
  timestamp: momentJson(event.at),
  index: event.index,
});

/** Shows a workflow in a list. */
export const listedDagJson = ({ dag, state, members, endedAt }: DagDetail) => ({
  dag_id: dag.id,
  state,
  tenant: dag.tenant,
  user: dag.user,
  allocation_count: members.length,
  created_at: momentJson(dag.submittedAt),
  completed_at: momentJson(endedAt),
});

/** Shows a workflow with its members. */
export const dagJson = (detail: DagDetail) => ({
  ...listedDagJson(detail),
  allocations: detail.members.map(listedAllocationJson),
});
