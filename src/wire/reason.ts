/** Reasons why work waits, and their whole account, between domain and wire, both directions. */
import { create } from "@bufbuild/protobuf";
import type { Explanation, StartEstimate } from "../core/domain/detail.ts";
import { allocationId, shortId } from "../core/domain/ids.ts";
import type { AllocationState } from "../core/domain/lifecycle.ts";
import type { Reason, ReasonCode } from "../core/domain/reason.ts";
import type { ExplainResponse, PendingReason } from "../gen/lattice/v1/allocations_pb.ts";
import { ExplainResponseSchema, PendingReasonSchema } from "../gen/lattice/v1/allocations_pb.ts";
import { timestampFromProto, timestampToProto } from "./timestamp.ts";

/** Writes one reason. */
export const reasonToProto = (reason: Reason): PendingReason =>
  create(PendingReasonSchema, { code: reason.code, message: reason.message, change: reason.change ?? "" });

/** Reads one reason. A server that is ahead of this build may send codes that it does not list. */
export function reasonFromProto(proto: PendingReason): Reason {
  const code = proto.code as ReasonCode;
  return proto.change === ""
    ? { code, message: proto.message }
    : { code, message: proto.message, change: proto.change };
}

/** Writes an explanation. */
export const explanationToProto = (explanation: Explanation): ExplainResponse =>
  create(ExplainResponseSchema, {
    allocationId: explanation.id,
    shortId: BigInt(explanation.shortId),
    state: explanation.state,
    reasons: explanation.reasons.map(reasonToProto),
    position: explanation.position,
    ...startToProto(explanation.start),
  });

const startToProto = (start: StartEstimate | undefined) =>
  start && {
    startsBy: timestampToProto(start.by),
    startPromised: start.isPromised,
    ...(start.likely !== undefined && { startsLikely: timestampToProto(start.likely) }),
    ...(start.earliest !== undefined && { startsEarliest: timestampToProto(start.earliest) }),
  };

const startFromProto = (proto: ExplainResponse): StartEstimate | undefined =>
  proto.startsBy && {
    by: timestampFromProto(proto.startsBy),
    isPromised: proto.startPromised,
    ...(proto.startsLikely && { likely: timestampFromProto(proto.startsLikely) }),
    ...(proto.startsEarliest && { earliest: timestampFromProto(proto.startsEarliest) }),
  };

/** Reads an explanation. */
export function explanationFromProto(proto: ExplainResponse): Explanation {
  const start = startFromProto(proto);
  return {
    id: allocationId(proto.allocationId),
    shortId: shortId(Number(proto.shortId)),
    state: proto.state as AllocationState,
    reasons: proto.reasons.map(reasonFromProto),
    position: proto.position,
    ...(start && { start }),
  };
}
