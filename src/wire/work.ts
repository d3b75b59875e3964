/**
 * Work between domain and wire. The wire carries only what a node needs, so a decoded
 * Work has neutral values in the fields of its spec that matter to the servers alone.
 */
import { create } from "@bufbuild/protobuf";
import { millis } from "../base/brand.ts";
import type { AllocationSpec, Isolation } from "../core/domain/allocation.ts";
import type { Work } from "../core/domain/assignment.ts";
import type { NodeId } from "../core/domain/ids.ts";
import { dagId, nodeId, shortId, taskGroupId, tenantId, userId, vclusterId } from "../core/domain/ids.ts";
import type { Work as ProtoWork } from "../gen/lattice/v1/agent_pb.ts";
import { WorkSchema } from "../gen/lattice/v1/agent_pb.ts";
import { programFromProto, programToProto } from "./allocation-spec.ts";

/** Writes work for the node that runs it. */
export function workToProto(work: Work): ProtoWork {
  const { spec, claim, task } = work;
  return create(WorkSchema, {
    shortId: BigInt(work.shortId),
    name: spec.name,
    user: work.user,
    tenant: spec.tenant,
    vcluster: spec.vcluster,
    project: spec.project,
    ...programToProto(spec.program),
    env: { ...spec.env },
    workdir: spec.workdir,
    stdoutPath: spec.stdoutPath,
    stderrPath: spec.stderrPath,
    gracePeriodMs: spec.gracePeriodMs,
    isolation: spec.isolation,
    sensitive: spec.isSensitive,
    nodeIds: [...work.nodeIds],
    runsHere: work.runsHere,
    cpus: claim.cpus,
    memoryBytes: BigInt(claim.memoryBytes),
    gpuMilli: claim.gpuMilli,
    exclusive: claim.isExclusive,
    tasksPerNode: spec.resources.tasksPerNode,
    cpusPerTask: spec.resources.cpusPerTask,
    setSlurmEnv: work.setsSlurmEnv ?? true,
    requeueCount: work.requeueCount,
    preemptedCount: work.preemptedCount ?? 0,
    isResumed: work.isResumed ?? false,
    dagId: work.dag ?? "",
    ...(task && {
      taskGroupId: task.group,
      taskGroupShortId: BigInt(task.groupShortId),
      taskIndex: task.index,
      taskRange: task.range,
      taskCount: task.count,
    }),
  });
}

/** Reads the work of the node `node`. */
export function workFromProto(proto: ProtoWork, node: NodeId): Work {
  return {
    shortId: shortId(Number(proto.shortId)),
    user: userId(proto.user),
    spec: specFromProto(proto),
    claim: {
      nodeId: node,
      cpus: proto.cpus,
      memoryBytes: Number(proto.memoryBytes),
      gpuMilli: proto.gpuMilli,
      isExclusive: proto.exclusive,
    },
    nodeIds: proto.nodeIds.map(nodeId),
    runsHere: proto.runsHere,
    requeueCount: proto.requeueCount,
    ...(proto.preemptedCount > 0 && { preemptedCount: proto.preemptedCount }),
    ...(proto.isResumed && { isResumed: true }),
    setsSlurmEnv: proto.setSlurmEnv,
    ...(proto.taskIndex !== undefined && { task: taskFromProto(proto, proto.taskIndex) }),
    ...(proto.dagId !== "" && { dag: dagId(proto.dagId) }),
  };
}

function taskFromProto(proto: ProtoWork, index: number): NonNullable<Work["task"]> {
  const { start, end, step } = proto.taskRange ?? { start: index, end: index, step: 1 };
  return {
    group: taskGroupId(proto.taskGroupId),
    groupShortId: shortId(Number(proto.taskGroupShortId)),
    index,
    range: { start, end, step },
    count: proto.taskCount,
  };
}

function specFromProto(proto: ProtoWork): AllocationSpec {
  const nodeCount = Math.max(1, proto.nodeIds.length);
  return {
    name: proto.name,
    tenant: tenantId(proto.tenant),
    project: proto.project,
    vcluster: vclusterId(proto.vcluster),
    tags: {},
    program: programFromProto(proto),
    env: { ...proto.env },
    workdir: proto.workdir,
    stdoutPath: proto.stdoutPath,
    stderrPath: proto.stderrPath,
    runOn: "first",
    resources: {
      nodesMin: nodeCount,
      nodesMax: nodeCount,
      perNode: { cpus: proto.cpus, memoryBytes: Number(proto.memoryBytes), gpuMilli: proto.gpuMilli },
      isExclusive: proto.exclusive,
      gpuType: "",
      features: [],
      featureCounts: {},
      topology: "any",
      tasksPerNode: proto.tasksPerNode,
      cpusPerTask: proto.cpusPerTask,
    },
    lifecycle: "bounded",
    walltimeMs: millis(0),
    preemptionClass: 0,
    requeuePolicy: "never",
    requeueMax: 0,
    isolation: isolationFromProto(proto.isolation),
    gracePeriodMs: millis(proto.gracePeriodMs),
    isSensitive: proto.sensitive,
    dependsOn: [],
  };
}

/** An isolation that this build does not know is read as the safe one. */
const isolationFromProto = (text: string): Isolation => (text === "rerun" ? "rerun" : "stop");
