/** AllocationService: each RPC is wire in, operation, wire out. */
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import { cancelAllocation, updateWalltime } from "../../engine/server/operations/change-allocation.ts";
import { cancelDag, getDag, listDags } from "../../engine/server/operations/dags.ts";
import { explainAllocation, getAllocation, listAllocations } from "../../engine/server/operations/read-allocations.ts";
import { readLogs } from "../../engine/server/operations/read-logs.ts";
import type { AllocationDetail, AllocationFilter, LogQuery } from "../../engine/server/operations/results.ts";
import { submit } from "../../engine/server/operations/submit-allocation.ts";
import { watchAllocations } from "../../engine/server/operations/watch-allocations.ts";
import type { Server } from "../../engine/server/server.ts";
import {
  type AllocationService,
  type AttachInput,
  type ListAllocationsRequest,
  type LogStreamRequest,
  LogStreamRequest_Stream,
} from "../../gen/lattice/v1/allocations_pb.ts";
import { allocationStatusToProto } from "../../wire/allocation.ts";
import { allocationEventToProto } from "../../wire/allocation-event.ts";
import { dagStatusToProto } from "../../wire/dag.ts";
import { durationFromProto } from "../../wire/duration.ts";
import { logLineToProto } from "../../wire/log-line.ts";
import { explanationToProto } from "../../wire/reason.ts";
import { submissionFromProto, submittedToProto } from "../../wire/submission.ts";
import { statesOf } from "../allocation-states.ts";
import { callOf } from "../auth/connect-gate.ts";
import { refuseInactive } from "../not-active.ts";

/** Returns the implementation. */
export function allocationService(server: Server): ServiceImpl<typeof AllocationService> {
  return { ...work(server), ...streams(server), ...workflows(server), ...inactive(server) };
}

const work = (server: Server) =>
  ({
    async submit(request, context) {
      return submittedToProto(await submit(server, callOf(context), submissionFromProto(request)));
    },
    async get({ allocationId }, context) {
      return allocationStatusToProto(await getAllocation(server, callOf(context), allocationId));
    },
    async list(request, context) {
      const asked = { filter: filterOf(request), page: request };
      const { items, nextCursor = "" } = await listAllocations(server, callOf(context), asked);
      return { allocations: items.map(listedToProto), nextCursor };
    },
    async cancel({ allocationId }, context) {
      await cancelAllocation(server, callOf(context), allocationId);
      return { success: true };
    },
    async update({ allocationId, newWalltime, newTelemetry }, context) {
      if (newTelemetry !== undefined) {
        throw new LatticeError(fault("NOT_SUPPORTED", "new_telemetry is not active in this build"));
      }
      if (newWalltime === undefined)
        throw new LatticeError(fault("INVALID_SPEC", "nothing to change: give new_walltime"));
      const change = { ref: allocationId, walltimeMs: durationFromProto(newWalltime) };
      return allocationStatusToProto(await updateWalltime(server, callOf(context), change));
    },
    async explain({ allocationId }, context) {
      return explanationToProto(await explainAllocation(server, callOf(context), allocationId));
    },
  }) satisfies Partial<ServiceImpl<typeof AllocationService>>;

const streams = (server: Server) =>
  ({
    async *watch({ allocationId: ref, tenant, vcluster, dagId: dag }, context) {
      const changes = watchAllocations(server, callOf(context), { ref, tenant, vcluster, dag });
      for await (const change of changes) yield allocationEventToProto(change);
    },
    async *streamLogs(request, context) {
      for await (const line of readLogs(server, callOf(context), logQueryOf(request))) yield logLineToProto(line);
    },
  }) satisfies Partial<ServiceImpl<typeof AllocationService>>;

const workflows = (server: Server) =>
  ({
    async getDag({ dagId }, context) {
      return dagStatusToProto(await getDag(server, callOf(context), dagId));
    },
    async listDags(request, context) {
      const { items, nextCursor = "" } = await listDags(server, callOf(context), { filter: request, page: request });
      return { dags: items.map(dagStatusToProto), nextCursor };
    },
    async cancelDag({ dagId }, context) {
      return { success: true, allocationsCancelled: await cancelDag(server, callOf(context), dagId) };
    },
  }) satisfies Partial<ServiceImpl<typeof AllocationService>>;

const inactive = (server: Server) =>
  ({
    launchTasks: ({ allocationId: allocation }, context) =>
      refuseInactive(server, callOf(context), { operation: "allocation.launch", allocation }),
    checkpoint: ({ allocationId: allocation }, context) =>
      refuseInactive(server, callOf(context), { operation: "allocation.checkpoint", allocation }),
    async *attach(requests, context) {
      const allocation = await attachTarget(requests);
      yield await refuseInactive(server, callOf(context), { operation: "allocation.attach", allocation });
    },
    queryMetrics: ({ allocationId }, context) => refuseMetrics(server, context, allocationId),
    async *streamMetrics({ allocationId }, context) {
      yield await refuseMetrics(server, context, allocationId);
    },
    getDiagnostics: ({ allocationId }, context) => refuseMetrics(server, context, allocationId),
    compareMetrics: ({ allocationIds }, context) => refuseMetrics(server, context, allocationIds[0] ?? ""),
    createSession: ({ allocationId: allocation }, context) =>
      refuseInactive(server, callOf(context), { operation: "session.create", allocation }),
    getSession: (_, context) => refuseInactive(server, callOf(context), { operation: "session.read" }),
    deleteSession: (_, context) => refuseInactive(server, callOf(context), { operation: "session.delete" }),
  }) satisfies Partial<ServiceImpl<typeof AllocationService>>;

const refuseMetrics = (server: Server, context: HandlerContext, allocation: string): Promise<never> =>
  refuseInactive(server, callOf(context), { operation: "allocation.metrics", allocation });

async function attachTarget(requests: AsyncIterable<AttachInput>): Promise<string> {
  for await (const { input } of requests) {
    if (input.case === "start") return input.value.allocationId;
    break;
  }
  throw new LatticeError(fault("INVALID_BODY", "the first message must be start"));
}

/** The text of a script is too much for a list. */
function listedToProto(detail: AllocationDetail) {
  const status = allocationStatusToProto(detail);
  if (status.spec) status.spec.script = "";
  return status;
}

function filterOf(request: ListAllocationsRequest): AllocationFilter {
  const { tenant, user, vcluster, name, dagId: dag, taskGroupId: group } = request;
  return { tenant, user, vcluster, name, dag, group, states: statesOf(request.state) };
}

function logQueryOf(request: LogStreamRequest): LogQuery {
  if (request.since !== undefined || request.until !== undefined) {
    throw new LatticeError(
      fault("NOT_SUPPORTED", "since and until are not active in this build", "use offset or tail_lines"),
    );
  }
  return {
    ref: request.allocationId,
    streams: STREAMS[request.stream] ?? STREAMS[LogStreamRequest_Stream.ALL],
    node: request.nodeId,
    attempt: request.attempt,
    offset: Number(request.offset),
    length: Number(request.length),
    isFollowing: request.follow,
    tailLines: request.tailLines,
  };
}

const STREAMS: Readonly<Record<LogStreamRequest_Stream, LogQuery["streams"]>> = {
  [LogStreamRequest_Stream.ALL]: ["stdout", "stderr"],
  [LogStreamRequest_Stream.STDOUT]: ["stdout"],
  [LogStreamRequest_Stream.STDERR]: ["stderr"],
};
