/** Workflows between domain and wire, both directions. */
import { create } from "@bufbuild/protobuf";
import { logIndex } from "../base/brand.ts";
import type { DagState } from "../core/domain/dag.ts";
import type { AllocationDetail, DagDetail } from "../core/domain/detail.ts";
import { allocationId, dagId, tenantId, userId } from "../core/domain/ids.ts";
import type { DagStatus } from "../gen/lattice/v1/allocations_pb.ts";
import { DagStatusSchema } from "../gen/lattice/v1/allocations_pb.ts";
import { allocationStatusFromProto, allocationStatusToProto } from "./allocation.ts";
import { timestampFromProto, timestampToProto } from "./timestamp.ts";

/** Writes a workflow. */
export function dagStatusToProto(detail: DagDetail): DagStatus {
  const { dag } = detail;
  const status = create(DagStatusSchema, {
    dagId: dag.id,
    state: detail.state,
    tenant: dag.tenant,
    user: dag.user,
    version: BigInt(dag.version),
  });
  status.createdAt = timestampToProto(dag.submittedAt);
  if (detail.endedAt !== undefined) status.completedAt = timestampToProto(detail.endedAt);
  status.allocations = detail.members.map(allocationStatusToProto);
  return status;
}

/** Reads a workflow. */
export function dagStatusFromProto(proto: DagStatus): DagDetail {
  const members = proto.allocations.map(allocationStatusFromProto);
  return {
    dag: {
      id: dagId(proto.dagId),
      version: logIndex(Number(proto.version)),
      tenant: tenantId(proto.tenant),
      user: userId(proto.user),
      members: members.map(memberId),
      submittedAt: timestampFromProto(proto.createdAt),
    },
    state: proto.state as DagState,
    members,
    ...(proto.completedAt && { endedAt: timestampFromProto(proto.completedAt) }),
  };
}

const memberId = (member: AllocationDetail) =>
  member.kind === "allocation" ? member.allocation.id : allocationId(member.group.id);
