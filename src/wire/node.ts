/** Nodes between domain and wire, both directions. */
import { create } from "@bufbuild/protobuf";
import { logIndex } from "../base/brand.ts";
import type { NodeDetail } from "../core/domain/detail.ts";
import { allocationId, nodeId, userId } from "../core/domain/ids.ts";
import type { NodeState } from "../core/domain/lifecycle.ts";
import type { NodeHealth } from "../core/domain/node.ts";
import type { NodeCapacity } from "../core/domain/resources.ts";
import type { NodeStatus } from "../gen/lattice/v1/nodes_pb.ts";
import { NodeStatusSchema } from "../gen/lattice/v1/nodes_pb.ts";
import { timestampFromProto, timestampToProto } from "./timestamp.ts";

const GIB = 1024 ** 3;

/** Writes a node. An allocation that holds it whole is its owner. */
export function nodeStatusToProto({ node, lastHeartbeat, claims, claimedBy }: NodeDetail): NodeStatus {
  const { capacity } = node;
  const status = create(NodeStatusSchema, {
    nodeId: node.id,
    version: BigInt(node.version),
    state: node.state,
    stateReason: node.reason,
    health: node.health,
    group: capacity.group,
    gpuType: capacity.gpuType,
    gpuCount: Math.floor(capacity.gpuMilli / 1000),
    gpuMilli: capacity.gpuMilli,
    cpuCores: capacity.cpus,
    memoryGb: BigInt(Math.floor(capacity.memoryBytes / GIB)),
    totalMemoryCapacityBytes: BigInt(capacity.memoryBytes),
    features: [...capacity.features],
    conformanceFingerprint: capacity.conformance ?? "",
    memoryDomains: memoryDomainsOf(capacity),
    powerWatts: capacity.powerWatts ?? 0,
    ownerAllocation: claims.find((c) => c.claim.isExclusive)?.allocation ?? "",
    allocationIds: claims.map((c) => c.allocation),
    claims: claims.map(({ allocation, claim }) => ({
      allocationId: allocation,
      cpus: claim.cpus,
      memoryBytes: BigInt(claim.memoryBytes),
      gpuMilli: claim.gpuMilli,
      exclusive: claim.isExclusive,
    })),
    agentAddress: node.address,
    agentVersion: node.agentVersion,
    instanceId: node.instanceId,
    disabled: node.isDisabled,
    issues: [...node.issues],
    registeredAt: timestampToProto(node.registeredAt),
    stateSince: timestampToProto(node.stateSince),
  });
  if (node.drainReason !== undefined) status.drainReason = node.drainReason;
  if (claimedBy !== undefined) status.claimedBy = claimedBy;
  if (lastHeartbeat !== undefined) status.lastHeartbeat = timestampToProto(lastHeartbeat);
  return status;
}

/** What processors and GPUs reach first, and what is attached by CXL. */
function memoryDomainsOf({ memoryBytes, hasUnifiedMemory, cxlMemoryBytes = 0 }: NodeCapacity) {
  const near = {
    domainType: hasUnifiedMemory ? "unified" : "dram",
    capacityBytes: BigInt(memoryBytes - cxlMemoryBytes),
  };
  const far = { domainType: "cxl_attached", capacityBytes: BigInt(cxlMemoryBytes) };
  return [near, far].filter(({ capacityBytes }) => capacityBytes > 0n).map((domain, id) => ({ id, ...domain }));
}

function memoryKindFrom({ memoryDomains }: NodeStatus): Pick<NodeCapacity, "hasUnifiedMemory" | "cxlMemoryBytes"> {
  const cxl = memoryDomains.find(({ domainType }) => domainType === "cxl_attached");
  return {
    ...(memoryDomains.some(({ domainType }) => domainType === "unified") && { hasUnifiedMemory: true }),
    ...(cxl && { cxlMemoryBytes: Number(cxl.capacityBytes) }),
  };
}

/** Reads a node. */
export function nodeStatusFromProto(proto: NodeStatus): NodeDetail {
  const id = nodeId(proto.nodeId);
  return {
    node: {
      id,
      version: logIndex(Number(proto.version)),
      state: proto.state as NodeState,
      health: proto.health as NodeHealth,
      reason: proto.stateReason,
      capacity: {
        cpus: proto.cpuCores,
        memoryBytes: Number(proto.totalMemoryCapacityBytes),
        gpuMilli: proto.gpuMilli,
        gpuType: proto.gpuType,
        features: proto.features,
        group: proto.group,
        ...(proto.conformanceFingerprint !== "" && { conformance: proto.conformanceFingerprint }),
        ...memoryKindFrom(proto),
        ...(proto.powerWatts > 0 && { powerWatts: proto.powerWatts }),
      },
      address: proto.agentAddress,
      instanceId: proto.instanceId,
      agentVersion: proto.agentVersion,
      registeredAt: timestampFromProto(proto.registeredAt),
      stateSince: timestampFromProto(proto.stateSince),
      isDisabled: proto.disabled,
      ...(proto.drainReason !== undefined && { drainReason: proto.drainReason }),
      issues: proto.issues,
    },
    ...(proto.lastHeartbeat && { lastHeartbeat: timestampFromProto(proto.lastHeartbeat) }),
    ...(proto.claimedBy !== "" && { claimedBy: userId(proto.claimedBy) }),
    claims: proto.claims.map((c) => ({
      allocation: allocationId(c.allocationId),
      claim: {
        nodeId: id,
        cpus: c.cpus,
        memoryBytes: Number(c.memoryBytes),
        gpuMilli: c.gpuMilli,
        isExclusive: c.exclusive,
      },
    })),
  };
}
