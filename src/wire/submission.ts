/** Submissions and their answers between domain and wire, both directions. */
import { create } from "@bufbuild/protobuf";
import type { Submission } from "../core/domain/allocation-request.ts";
import type { Submitted } from "../core/domain/detail.ts";
import { fault, LatticeError } from "../core/domain/errors.ts";
import { allocationId, dagId, shortId, taskGroupId } from "../core/domain/ids.ts";
import type { TaskRange } from "../core/domain/task-group.ts";
import type { SubmitRequest, SubmitResponse, TaskGroupSpec } from "../gen/lattice/v1/allocations_pb.ts";
import { SubmitRequestSchema, SubmitResponseSchema } from "../gen/lattice/v1/allocations_pb.ts";
import { allocationRequestFromProto, allocationRequestToProto } from "./allocation-spec.ts";

/** Reads a submission. @throws INVALID_BODY when it holds none or lacks a part. */
export function submissionFromProto(proto: SubmitRequest): Submission {
  const { submission } = proto;
  switch (submission.case) {
    case "single":
      return { kind: "single", request: allocationRequestFromProto(submission.value) };
    case "dag": {
      const requests = submission.value.allocations.map(allocationRequestFromProto);
      const id = submission.value.dagId;
      return id === "" ? { kind: "dag", requests } : { kind: "dag", dagId: id, requests };
    }
    case "taskGroup":
      return taskGroupFromProto(submission.value);
    case undefined:
      throw invalid("the submission is empty: one of single, dag and task_group is required");
  }
}

/** Writes a submission. */
export function submissionToProto(submission: Submission): SubmitRequest {
  switch (submission.kind) {
    case "single":
      return create(SubmitRequestSchema, {
        submission: { case: "single", value: allocationRequestToProto(submission.request) },
      });
    case "dag": {
      const value = { allocations: submission.requests.map(allocationRequestToProto), dagId: submission.dagId ?? "" };
      return create(SubmitRequestSchema, { submission: { case: "dag", value } });
    }
    case "task-group": {
      const value = {
        template: allocationRequestToProto(submission.template),
        ranges: submission.ranges.map(({ start, end, step }) => ({ start, end, step })),
        maxConcurrent: submission.concurrentMax,
      };
      return create(SubmitRequestSchema, { submission: { case: "taskGroup", value } });
    }
  }
}

function taskGroupFromProto(proto: TaskGroupSpec): Submission {
  if (proto.template === undefined) throw invalid("the task group has no template");
  return {
    kind: "task-group",
    template: allocationRequestFromProto(proto.template),
    ranges: rangesFromProto(proto),
    concurrentMax: proto.maxConcurrent,
  };
}

/** An absent step is 1. */
function rangesFromProto(proto: TaskGroupSpec): readonly TaskRange[] {
  const ranges =
    proto.ranges.length > 0 ? proto.ranges : [{ start: proto.rangeStart, end: proto.rangeEnd, step: proto.step }];
  return ranges.map(({ start, end, step }) => ({ start, end, step: step === 0 ? 1 : step }));
}

/** Writes what a submission gave. */
export function submittedToProto(submitted: Submitted): SubmitResponse {
  const { allocations, taskGroup } = submitted;
  const created = taskGroup ? [taskGroup, ...allocations] : allocations;
  return create(SubmitResponseSchema, {
    allocationIds: created.map((a) => a.id),
    shortIds: created.map((a) => BigInt(a.shortId)),
    taskGroupId: taskGroup?.id ?? "",
    dagId: submitted.dag ?? "",
    warnings: [...submitted.warnings],
  });
}

/** Reads what a submission gave. */
export function submittedFromProto(proto: SubmitResponse): Submitted {
  const created = proto.allocationIds.map((id, i) => ({ id, shortId: shortId(Number(proto.shortIds[i] ?? 0n)) }));
  const group = created.find((c) => c.id === proto.taskGroupId);
  return {
    allocations: created.filter((c) => c !== group).map((c) => ({ id: allocationId(c.id), shortId: c.shortId })),
    ...(group && { taskGroup: { id: taskGroupId(group.id), shortId: group.shortId } }),
    ...(proto.dagId !== "" && { dag: dagId(proto.dagId) }),
    warnings: proto.warnings,
  };
}

const invalid = (message: string) => new LatticeError(fault("INVALID_BODY", message));
