/**
 * The agent's stream between domain and wire, both directions, for both ends of it.
 * Work travels on its first mention in a stream only: each end keeps a WorkMemory, fed by
 * the same messages in the same order, so both always know the same works.
 */
import { create } from "@bufbuild/protobuf";
import { millis } from "../base/brand.ts";
import type { EndCause, StopReason } from "../core/domain/allocation.ts";
import type {
  Assignment,
  AssignmentAction,
  DesiredSet,
  Fence,
  Work,
  WorkloadReport,
} from "../core/domain/assignment.ts";
import { fault, LatticeError } from "../core/domain/errors.ts";
import type { NodeId } from "../core/domain/ids.ts";
import { allocationId, nodeId } from "../core/domain/ids.ts";
import type {
  AgentMessage as ProtoAgentMessage,
  Assignment as ProtoAssignment,
  Fence as ProtoFence,
  Hello as ProtoHello,
  ServerMessage as ProtoServerMessage,
  WorkloadReport as ProtoWorkloadReport,
} from "../gen/lattice/v1/agent_pb.ts";
import { AgentMessageSchema, HelloSchema, ServerMessageSchema } from "../gen/lattice/v1/agent_pb.ts";
import type { AgentHello, AgentMessage, ServerMessage } from "../ports/agent-link.ts";
import { logRequestFromProto, logRequestToProto } from "./log-piece.ts";
import { timestampFromProto, timestampToProto } from "./timestamp.ts";
import { workFromProto, workToProto } from "./work.ts";

/** The works that one stream has mentioned and still names. One per stream and end. */
export class WorkMemory {
  #works = new Map<string, Work>();

  /** Returns the work of an attempt, if the stream has mentioned it. */
  get(allocation: string, attempt: number): Work | undefined {
    return this.#works.get(`${allocation}/${attempt}`);
  }

  /** Keeps the works of `assignments` and forgets all others. */
  replace(assignments: readonly Assignment[]): void {
    this.#works = new Map(assignments.map((a) => [`${a.allocation}/${a.attempt}`, a.work]));
  }
}

/** Writes the first message of an agent's stream. */
export const helloToProto = (hello: AgentHello): ProtoAgentMessage =>
  create(AgentMessageSchema, { message: { case: "hello", value: helloBodyToProto(hello) } });

function helloBodyToProto({ registration, fence, workloads, clock }: AgentHello): ProtoHello {
  const { capacity } = registration;
  return create(HelloSchema, {
    nodeId: registration.nodeId,
    instanceId: registration.instanceId,
    agentVersion: registration.agentVersion,
    agentAddress: registration.address,
    capacity: {
      cpus: capacity.cpus,
      memoryBytes: BigInt(capacity.memoryBytes),
      gpuType: capacity.gpuType,
      gpuCount: Math.floor(capacity.gpuMilli / 1000),
      features: [...capacity.features],
      group: capacity.group,
      conformanceFingerprint: capacity.conformance ?? "",
      unifiedMemory: capacity.hasUnifiedMemory ?? false,
      cxlMemoryBytes: BigInt(capacity.cxlMemoryBytes ?? 0),
      powerWatts: capacity.powerWatts ?? 0,
    },
    fence: fenceToProto(fence),
    workloads: workloads.map(workloadReportToProto),
    clock: timestampToProto(clock),
  });
}

/** Reads the first message of an agent's stream. @throws INVALID_BODY when it is no hello or lacks a part. */
export function helloFromProto(proto: ProtoAgentMessage): AgentHello {
  if (proto.message.case !== "hello") throw invalid("the first message of an agent's stream must be hello");
  const hello = proto.message.value;
  if (hello.nodeId === "") throw invalid("hello names no node_id");
  if (hello.instanceId === "") throw invalid("hello names no instance_id");
  if (hello.capacity === undefined) throw invalid("hello carries no capacity");
  const { capacity } = hello;
  return {
    registration: {
      nodeId: nodeId(hello.nodeId),
      instanceId: hello.instanceId,
      agentVersion: hello.agentVersion,
      address: hello.agentAddress,
      capacity: {
        cpus: capacity.cpus,
        memoryBytes: Number(capacity.memoryBytes),
        gpuMilli: capacity.gpuCount * 1000,
        gpuType: capacity.gpuType,
        features: capacity.features,
        group: capacity.group,
        ...(capacity.conformanceFingerprint !== "" && { conformance: capacity.conformanceFingerprint }),
        ...(capacity.unifiedMemory && { hasUnifiedMemory: true }),
        ...(capacity.cxlMemoryBytes > 0n && { cxlMemoryBytes: Number(capacity.cxlMemoryBytes) }),
        ...(capacity.powerWatts > 0 && { powerWatts: capacity.powerWatts }),
      },
    },
    fence: fenceFromProto(hello.fence),
    workloads: hello.workloads.map(workloadReportFromProto),
    clock: timestampFromProto(hello.clock),
  };
}

/** Writes a later message of an agent. */
export function agentMessageToProto(message: AgentMessage): ProtoAgentMessage {
  if (message.kind === "wiped") {
    const { wipe, isDone, detail } = message;
    return create(AgentMessageSchema, {
      message: { case: "wiped", value: { wipeId: BigInt(wipe), done: isDone, detail } },
    });
  }
  const sequence = BigInt(message.sequence);
  if (message.kind === "heartbeat") {
    const value = { sequence, clock: timestampToProto(message.clock), issues: [...message.issues] };
    return create(AgentMessageSchema, { message: { case: "heartbeat", value } });
  }
  const value = { sequence, workloads: message.workloads.map(workloadReportToProto) };
  return create(AgentMessageSchema, { message: { case: "reports", value } });
}

/** Reads a later message of an agent; undefined for a kind that this build does not know. */
export function agentMessageFromProto(proto: ProtoAgentMessage): AgentMessage | undefined {
  const { message } = proto;
  switch (message.case) {
    case "hello":
      throw invalid("hello may only be the first message of an agent's stream");
    case "heartbeat": {
      const { sequence, clock, issues } = message.value;
      return { kind: "heartbeat", sequence: Number(sequence), clock: timestampFromProto(clock), issues };
    }
    case "reports": {
      const workloads = message.value.workloads.map(workloadReportFromProto);
      return { kind: "reports", sequence: Number(message.value.sequence), workloads };
    }
    case "wiped": {
      const { wipeId, done, detail } = message.value;
      return { kind: "wiped", wipe: Number(wipeId), isDone: done, detail };
    }
    case undefined:
      return undefined;
  }
}

/** Writes a server's message; `memory` is the one of its stream. */
export function serverMessageToProto(message: ServerMessage, memory: WorkMemory): ProtoServerMessage {
  return create(ServerMessageSchema, { message: serverCaseToProto(message, memory) });
}

type ServerCase = NonNullable<Parameters<typeof create<typeof ServerMessageSchema>>[1]>["message"] & object;

function serverCaseToProto(message: ServerMessage, memory: WorkMemory): ServerCase {
  switch (message.kind) {
    case "welcome": {
      const { serverVersion, heartbeatIntervalMs, isolationGraceMs } = message;
      return { case: "welcome", value: { serverVersion, heartbeatIntervalMs, isolationGraceMs } };
    }
    case "heartbeat-reply":
      return { case: "heartbeat", value: { sequence: BigInt(message.sequence) } };
    case "desired": {
      const { fence, assignments, wipe = 0 } = message.desired;
      const written = assignments.map((assignment) => assignmentToProto(assignment, memory));
      memory.replace(assignments);
      return { case: "desired", value: { fence: fenceToProto(fence), assignments: written, wipeId: BigInt(wipe) } };
    }
    case "reports-committed":
      return { case: "committed", value: { sequence: BigInt(message.sequence) } };
    case "log-request":
      return { case: "logRequest", value: logRequestToProto(message.request) };
    case "log-cancel":
      return { case: "logCancel", value: { requestId: message.requestId } };
  }
}

/**
 * Reads a server's message on the node `node`; `memory` is the one of its stream.
 * Undefined for a kind that this build does not know.
 */
export function serverMessageFromProto(
  proto: ProtoServerMessage,
  memory: WorkMemory,
  node: NodeId,
): ServerMessage | undefined {
  const { message } = proto;
  switch (message.case) {
    case "welcome": {
      const { serverVersion, heartbeatIntervalMs, isolationGraceMs } = message.value;
      return { kind: "welcome", serverVersion, heartbeatIntervalMs, isolationGraceMs };
    }
    case "heartbeat":
      return { kind: "heartbeat-reply", sequence: Number(message.value.sequence) };
    case "desired": {
      const assignments = message.value.assignments.map((a) => assignmentFromProto(a, memory, node));
      memory.replace(assignments);
      const { wipeId } = message.value;
      const desired: DesiredSet = {
        fence: fenceFromProto(message.value.fence),
        assignments,
        ...(wipeId > 0n && { wipe: Number(wipeId) }),
      };
      return { kind: "desired", desired };
    }
    case "committed":
      return { kind: "reports-committed", sequence: Number(message.value.sequence) };
    case "logRequest":
      return { kind: "log-request", request: logRequestFromProto(message.value) };
    case "logCancel":
      return { kind: "log-cancel", requestId: message.value.requestId };
    case undefined:
      return undefined;
  }
}

function assignmentToProto(assignment: Assignment, memory: WorkMemory) {
  const { allocation, attempt, action } = assignment;
  const isKnown = memory.get(allocation, attempt) !== undefined;
  return {
    allocationId: allocation,
    attempt,
    action: action.kind,
    stopReason: action.kind === "stop" ? action.reason : "",
    checkpointMs: BigInt(action.kind === "stop" ? (action.checkpointMs ?? 0) : 0),
    walltimeMs: BigInt(assignment.walltimeMs),
    ...(!isKnown && { work: workToProto(assignment.work) }),
  };
}

function assignmentFromProto(proto: ProtoAssignment, memory: WorkMemory, node: NodeId): Assignment {
  const { allocationId: id, attempt } = proto;
  const work = proto.work ? workFromProto(proto.work, node) : memory.get(id, attempt);
  if (work === undefined) throw invalid(`allocation ${id} attempt ${attempt} comes without its work`);
  const walltimeMs = millis(Number(proto.walltimeMs));
  return { allocation: allocationId(id), attempt, action: actionFromProto(proto), walltimeMs, work };
}

function actionFromProto({ action, stopReason, checkpointMs }: ProtoAssignment): AssignmentAction {
  if (action === "prepare" || action === "run") return { kind: action };
  if (action !== "stop") throw invalid(`unknown action ${JSON.stringify(action)}`);
  const reason = STOP_REASONS.find((known) => known === stopReason);
  if (reason === undefined) throw invalid(`unknown stop reason ${JSON.stringify(stopReason)}`);
  return { kind: "stop", reason, ...(checkpointMs > 0n && { checkpointMs: millis(Number(checkpointMs)) }) };
}

const STOP_REASONS: readonly StopReason[] = [
  "cancelled",
  "walltime",
  "node_failed",
  "part_failed",
  "dependency",
  "head_ended",
  "preempted",
  "scaled_down",
];

const PHASES: readonly WorkloadReport["phase"][] = ["ready", "running", "ended"];

const CAUSES: readonly EndCause[] = [
  "exited",
  "walltime",
  "stopped",
  "lost",
  "start_failed",
  "out_of_memory",
  "supervisor_lost",
  "node_lost",
  "isolated",
  "checkpointed",
];

function workloadReportToProto(report: WorkloadReport) {
  return {
    allocationId: report.allocation,
    attempt: report.attempt,
    phase: report.phase,
    ...(report.exitCode !== undefined && { exitCode: report.exitCode }),
    signal: report.signal ?? 0,
    cause: report.cause ?? "",
    detail: report.detail ?? "",
  };
}

function workloadReportFromProto(proto: ProtoWorkloadReport): WorkloadReport {
  const phase = PHASES.find((known) => known === proto.phase);
  if (phase === undefined) throw invalid(`unknown phase ${JSON.stringify(proto.phase)} of ${proto.allocationId}`);
  const cause = CAUSES.find((known) => known === proto.cause);
  if (cause === undefined && proto.cause !== "") {
    throw invalid(`unknown cause ${JSON.stringify(proto.cause)} of ${proto.allocationId}`);
  }
  return {
    allocation: allocationId(proto.allocationId),
    attempt: proto.attempt,
    phase,
    ...(proto.exitCode !== undefined && { exitCode: proto.exitCode }),
    ...(proto.signal !== 0 && { signal: proto.signal }),
    ...(cause !== undefined && { cause }),
    ...(proto.detail !== "" && { detail: proto.detail }),
  };
}

const fenceToProto = ({ clusterId, restoreEpoch, term, index }: Fence) => ({
  clusterId,
  restoreEpoch: BigInt(restoreEpoch),
  term: BigInt(term),
  index: BigInt(index),
});

const fenceFromProto = (proto: ProtoFence | undefined): Fence => ({
  clusterId: proto?.clusterId ?? "",
  restoreEpoch: Number(proto?.restoreEpoch ?? 0n),
  term: Number(proto?.term ?? 0n),
  index: Number(proto?.index ?? 0n),
});

const invalid = (message: string) => new LatticeError(fault("INVALID_BODY", message));
