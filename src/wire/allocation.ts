/**
 * Allocations and task groups between domain and wire, both directions. Both travel as
 * AllocationStatus; what has a `task_group` in it is a task group.
 */
import { create } from "@bufbuild/protobuf";
import { logIndex, millis } from "../base/brand.ts";
import type {
  Allocation,
  Dependency,
  EndCause,
  Hold,
  Part,
  PartPhase,
  PastAttempt,
  Stopping,
  StopReason,
  TaskOf,
} from "../core/domain/allocation.ts";
import { nodesOf } from "../core/domain/allocation.ts";
import type { AllocationDetail } from "../core/domain/detail.ts";
import { allocationId, dagId, nodeId, shortId, taskGroupId, userId } from "../core/domain/ids.ts";
import type { AllocationState } from "../core/domain/lifecycle.ts";
import type { TaskGroup } from "../core/domain/task-group.ts";
import type {
  AllocationPart,
  AllocationStatus,
  PastAttempt as ProtoPastAttempt,
  TaskGroupStatus,
  UpstreamRef,
} from "../gen/lattice/v1/allocations_pb.ts";
import {
  AllocationPartSchema,
  AllocationSpecSchema,
  AllocationStatusSchema,
  PastAttemptSchema,
  TaskGroupStatusSchema,
  UpstreamRefSchema,
} from "../gen/lattice/v1/allocations_pb.ts";
import { allocationSpecFromProto, allocationSpecToProto } from "./allocation-spec.ts";
import { durationFromProto, durationToProto } from "./duration.ts";
import { reasonFromProto, reasonToProto } from "./reason.ts";
import { timestampFromProto, timestampToProto } from "./timestamp.ts";

/** What the contract sends for an exit code that does not exist. */
const NO_EXIT_CODE = -1;

/** Writes an allocation or a task group with what is known of it. */
export function allocationStatusToProto(detail: AllocationDetail): AllocationStatus {
  const status = detail.kind === "allocation" ? allocationToProto(detail.allocation) : groupToProto(detail.group);
  if (detail.kind === "task-group") status.state = detail.state;
  status.reasons = detail.reasons.map(reasonToProto);
  return status;
}

/** Reads an allocation or a task group. */
export function allocationStatusFromProto(proto: AllocationStatus): AllocationDetail {
  const reasons = proto.reasons.map(reasonFromProto);
  if (proto.taskGroup === undefined) return { kind: "allocation", allocation: allocationFromProto(proto), reasons };
  const group = groupFromProto(proto, proto.taskGroup);
  return { kind: "task-group", group, state: proto.state as AllocationState, reasons };
}

function allocationToProto(allocation: Allocation): AllocationStatus {
  const { stopping, task } = allocation;
  const status = create(AllocationStatusSchema, {
    allocationId: allocation.id,
    shortId: BigInt(allocation.shortId),
    version: BigInt(allocation.version),
    user: allocation.user,
    state: allocation.state,
    message: allocation.message,
    attempt: allocation.attempt,
    requeueCount: allocation.requeueCount,
    exitCode: allocation.exitCode ?? NO_EXIT_CODE,
    signal: allocation.signal ?? 0,
    assignedNodes: [...nodesOf(allocation)],
    dagId: allocation.dag ?? "",
    taskGroupId: task?.group ?? "",
    taskGroupShortId: BigInt(task?.groupShortId ?? 0),
    stopping: stopping?.reason ?? "",
    stoppingBy: stopping?.by ?? "",
    preemptedCount: allocation.preemptedCount ?? 0,
    heldNodes: [...(allocation.hold?.nodes ?? [])],
  });
  if (allocation.savedMs !== undefined) status.saved = durationToProto(allocation.savedMs);
  if (allocation.hold) status.heldUntil = timestampToProto(allocation.hold.until);
  if (stopping?.checkpointMs !== undefined) {
    status.checkpointUntil = timestampToProto(millis(stopping.at + stopping.checkpointMs));
  }
  status.spec = allocationSpecToProto(allocation.spec);
  status.createdAt = timestampToProto(allocation.submittedAt);
  status.walltime = durationToProto(allocation.walltimeMs);
  status.parts = allocation.parts.map(partToProto);
  status.waitsFor = allocation.waitsFor.map(dependencyToProto);
  status.pastAttempts = (allocation.pastAttempts ?? []).map(pastAttemptToProto);
  if (task) status.taskIndex = task.index;
  if (stopping) status.stoppingSince = timestampToProto(stopping.at);
  if (allocation.startedAt !== undefined) status.startedAt = timestampToProto(allocation.startedAt);
  if (allocation.endedAt !== undefined) status.completedAt = timestampToProto(allocation.endedAt);
  if (allocation.notBefore !== undefined) status.notBefore = timestampToProto(allocation.notBefore);
  return status;
}

function allocationFromProto(proto: AllocationStatus): Allocation {
  return {
    id: allocationId(proto.allocationId),
    shortId: shortId(Number(proto.shortId)),
    version: logIndex(Number(proto.version)),
    user: userId(proto.user),
    spec: allocationSpecFromProto(proto.spec ?? create(AllocationSpecSchema)),
    state: proto.state as AllocationState,
    message: proto.message,
    submittedAt: timestampFromProto(proto.createdAt),
    ...(proto.startedAt && { startedAt: timestampFromProto(proto.startedAt) }),
    ...(proto.completedAt && { endedAt: timestampFromProto(proto.completedAt) }),
    attempt: proto.attempt,
    requeueCount: proto.requeueCount,
    ...(proto.pastAttempts.length > 0 && { pastAttempts: proto.pastAttempts.map(pastAttemptFromProto) }),
    walltimeMs: durationFromProto(proto.walltime),
    parts: proto.parts.map(partFromProto),
    ...(proto.stoppingSince && { stopping: stoppingFromProto(proto) }),
    ...(proto.exitCode !== NO_EXIT_CODE && { exitCode: proto.exitCode }),
    ...(proto.signal !== 0 && { signal: proto.signal }),
    ...(proto.taskIndex !== undefined && { task: taskFromProto(proto, proto.taskIndex) }),
    ...(proto.dagId !== "" && { dag: dagId(proto.dagId) }),
    waitsFor: proto.waitsFor.map(dependencyFromProto),
    ...(proto.notBefore && { notBefore: timestampFromProto(proto.notBefore) }),
    ...(proto.preemptedCount > 0 && { preemptedCount: proto.preemptedCount }),
    ...(proto.saved && { savedMs: durationFromProto(proto.saved) }),
    ...(proto.heldUntil && { hold: holdFromProto(proto) }),
  };
}

const holdFromProto = (proto: AllocationStatus): Hold => ({
  nodes: proto.heldNodes.map(nodeId),
  until: timestampFromProto(proto.heldUntil),
});

function stoppingFromProto(proto: AllocationStatus): Stopping {
  const at = timestampFromProto(proto.stoppingSince);
  const checkpointMs = proto.checkpointUntil && millis(timestampFromProto(proto.checkpointUntil) - at);
  return {
    reason: proto.stopping as StopReason,
    at,
    by: proto.stoppingBy,
    ...(checkpointMs !== undefined && { checkpointMs }),
  };
}

const taskFromProto = (proto: AllocationStatus, index: number): TaskOf => ({
  group: taskGroupId(proto.taskGroupId),
  groupShortId: shortId(Number(proto.taskGroupShortId)),
  index,
});

const pastAttemptToProto = ({ attempt, nodes, message }: PastAttempt): ProtoPastAttempt =>
  create(PastAttemptSchema, { attempt, nodes: [...nodes], message });

const pastAttemptFromProto = ({ attempt, nodes, message }: ProtoPastAttempt): PastAttempt => ({
  attempt,
  nodes: nodes.map(nodeId),
  message,
});

const partToProto = ({ claim, phase, exitCode, signal, cause, detail }: Part): AllocationPart =>
  create(AllocationPartSchema, {
    nodeId: claim.nodeId,
    phase,
    exitCode: exitCode ?? NO_EXIT_CODE,
    signal: signal ?? 0,
    cpus: claim.cpus,
    memoryBytes: BigInt(claim.memoryBytes),
    gpuMilli: claim.gpuMilli,
    exclusive: claim.isExclusive,
    cause: cause ?? "",
    detail: detail ?? "",
  });

const partFromProto = (proto: AllocationPart): Part => ({
  claim: {
    nodeId: nodeId(proto.nodeId),
    cpus: proto.cpus,
    memoryBytes: Number(proto.memoryBytes),
    gpuMilli: proto.gpuMilli,
    isExclusive: proto.exclusive,
  },
  phase: proto.phase as PartPhase,
  ...(proto.exitCode !== NO_EXIT_CODE && { exitCode: proto.exitCode }),
  ...(proto.signal !== 0 && { signal: proto.signal }),
  ...(proto.cause !== "" && { cause: proto.cause as EndCause }),
  ...(proto.detail !== "" && { detail: proto.detail }),
});

const dependencyToProto = ({ condition, on, mutex }: Dependency): UpstreamRef =>
  create(UpstreamRefSchema, { condition, allocationId: on ?? "", mutex: mutex ?? "" });

const dependencyFromProto = (proto: UpstreamRef): Dependency => ({
  condition: proto.condition as Dependency["condition"],
  ...(proto.allocationId !== "" && { on: allocationId(proto.allocationId) }),
  ...(proto.mutex !== "" && { mutex: proto.mutex }),
});

function groupToProto(group: TaskGroup): AllocationStatus {
  const status = create(AllocationStatusSchema, {
    allocationId: group.id,
    shortId: BigInt(group.shortId),
    version: BigInt(group.version),
    user: group.user,
    exitCode: NO_EXIT_CODE,
  });
  status.spec = allocationSpecToProto(group.spec);
  status.createdAt = timestampToProto(group.submittedAt);
  status.walltime = durationToProto(group.spec.walltimeMs);
  status.waitsFor = group.waitsFor.map(dependencyToProto);
  status.taskGroup = countsToProto(group);
  if (group.endedAt !== undefined) status.completedAt = timestampToProto(group.endedAt);
  return status;
}

const countsToProto = (group: TaskGroup): TaskGroupStatus =>
  create(TaskGroupStatusSchema, {
    total: group.total,
    ...group.counts,
    maxConcurrent: group.concurrentMax,
    ranges: group.ranges.map(({ start, end, step }) => ({ start, end, step })),
    born: group.born,
    isCancelled: group.isCancelled,
  });

function groupFromProto(proto: AllocationStatus, counts: TaskGroupStatus): TaskGroup {
  const { pending, running, completed, failed, cancelled } = counts;
  return {
    id: taskGroupId(proto.allocationId),
    shortId: shortId(Number(proto.shortId)),
    version: logIndex(Number(proto.version)),
    user: userId(proto.user),
    spec: allocationSpecFromProto(proto.spec ?? create(AllocationSpecSchema)),
    ranges: counts.ranges.map(({ start, end, step }) => ({ start, end, step })),
    total: counts.total,
    concurrentMax: counts.maxConcurrent,
    born: counts.born,
    counts: { pending, running, completed, failed, cancelled },
    submittedAt: timestampFromProto(proto.createdAt),
    ...(proto.completedAt && { endedAt: timestampFromProto(proto.completedAt) }),
    isCancelled: counts.isCancelled,
    waitsFor: proto.waitsFor.map(dependencyFromProto),
  };
}
