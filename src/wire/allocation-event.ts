/** Changes of allocations, as watchers see them, between domain and wire, both directions. */
import { create } from "@bufbuild/protobuf";
import { logIndex } from "../base/brand.ts";
import type { AllocationEvent } from "../core/domain/detail.ts";
import { allocationId, shortId, tenantId } from "../core/domain/ids.ts";
import type { AllocationState } from "../core/domain/lifecycle.ts";
import type { AllocationEvent as ProtoEvent } from "../gen/lattice/v1/allocations_pb.ts";
import { AllocationEventSchema } from "../gen/lattice/v1/allocations_pb.ts";
import { timestampFromProto, timestampToProto } from "./timestamp.ts";

/** The one type of event that this build sends. */
export const STATE_CHANGE = "state_change";

/** Writes a change. */
export const allocationEventToProto = (event: AllocationEvent): ProtoEvent =>
  create(AllocationEventSchema, {
    allocationId: event.allocation,
    eventType: STATE_CHANGE,
    message: event.message,
    timestamp: timestampToProto(event.at),
    state: event.to,
    previousState: event.from ?? "",
    shortId: BigInt(event.shortId),
    index: BigInt(event.index),
    tenant: event.tenant,
  });

/** Reads a change. */
export const allocationEventFromProto = (proto: ProtoEvent): AllocationEvent => ({
  index: logIndex(Number(proto.index)),
  at: timestampFromProto(proto.timestamp),
  allocation: allocationId(proto.allocationId),
  shortId: shortId(Number(proto.shortId)),
  tenant: tenantId(proto.tenant),
  ...(proto.previousState !== "" && { from: proto.previousState as AllocationState }),
  to: proto.state as AllocationState,
  message: proto.message,
});
