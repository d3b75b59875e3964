/** vClusters between domain and wire, both directions. */
import { create } from "@bufbuild/protobuf";
import { logIndex } from "../base/brand.ts";
import { nodeId, tenantId, vclusterId } from "../core/domain/ids.ts";
import type { CostWeights, SchedulerType, VCluster } from "../core/domain/tenant.ts";
import type { CostWeightsSpec, VClusterResponse } from "../gen/lattice/v1/admin_pb.ts";
import { CostWeightsSpecSchema, VClusterResponseSchema } from "../gen/lattice/v1/admin_pb.ts";
import { timestampFromProto, timestampToProto } from "./timestamp.ts";

/** Writes weights. */
export const weightsToProto = (weights: CostWeights): CostWeightsSpec => create(CostWeightsSpecSchema, { ...weights });

/** Reads weights; a message that is there sets all nine. */
export const weightsFromProto = (proto: CostWeightsSpec): CostWeights => ({
  priority: proto.priority,
  waitTime: proto.waitTime,
  fairShare: proto.fairShare,
  topology: proto.topology,
  dataReadiness: proto.dataReadiness,
  backlog: proto.backlog,
  energy: proto.energy,
  checkpointEfficiency: proto.checkpointEfficiency,
  conformance: proto.conformance,
});

type OptionalSettings = Pick<VCluster, "lendPart" | "borrowNodesMax" | "splitsGpus">;

/** Reads the caps of a request; 0 takes one away. */
export const vclusterCapsFromProto = (proto: ProtoCaps) => ({
  ...(proto.powerCapWatts !== undefined && { powerWattsMax: proto.powerCapWatts }),
  ...(proto.storageBandwidthCapMbps !== undefined && { storageMbpsMax: proto.storageBandwidthCapMbps }),
});

interface ProtoCaps {
  readonly powerCapWatts?: number | undefined;
  readonly storageBandwidthCapMbps?: number | undefined;
}

const capsFromProto = (proto: ProtoCaps): Pick<VCluster, "caps"> =>
  proto.powerCapWatts === undefined && proto.storageBandwidthCapMbps === undefined
    ? {}
    : {
        caps: {
          ...(proto.powerCapWatts !== undefined && { powerWatts: proto.powerCapWatts }),
          ...(proto.storageBandwidthCapMbps !== undefined && { storageMbps: proto.storageBandwidthCapMbps }),
        },
      };

/** Writes what is set of a vCluster only where it differs from the default. */
export const vclusterLimitsToProto = ({ lendPart, borrowNodesMax, splitsGpus }: OptionalSettings) => ({
  ...(lendPart !== undefined && { lendFraction: lendPart }),
  ...(borrowNodesMax !== undefined && { borrowMaxNodes: borrowNodesMax }),
  ...(splitsGpus !== undefined && { gpuFractions: splitsGpus }),
});

/** Reads the same. */
export const vclusterLimitsFromProto = (proto: {
  readonly lendFraction?: number | undefined;
  readonly borrowMaxNodes?: number | undefined;
  readonly gpuFractions?: boolean | undefined;
}): OptionalSettings => ({
  ...(proto.lendFraction !== undefined && { lendPart: proto.lendFraction }),
  ...(proto.borrowMaxNodes !== undefined && { borrowNodesMax: proto.borrowMaxNodes }),
  ...(proto.gpuFractions !== undefined && { splitsGpus: proto.gpuFractions }),
});

/** Writes a vCluster. */
export const vclusterToProto = (vcluster: VCluster): VClusterResponse =>
  create(VClusterResponseSchema, {
    vclusterId: vcluster.id,
    tenantId: vcluster.tenant,
    name: vcluster.name,
    schedulerType: vcluster.schedulerType,
    costWeights: weightsToProto(vcluster.weights),
    allowBorrowing: vcluster.allowsBorrowing,
    allowLending: vcluster.allowsLending,
    dedicatedNodes: [...vcluster.dedicatedNodes],
    nodeSharing: vcluster.sharesNodes,
    ...vclusterLimitsToProto(vcluster),
    ...(vcluster.caps?.powerWatts !== undefined && { powerCapWatts: vcluster.caps.powerWatts }),
    ...(vcluster.caps?.storageMbps !== undefined && { storageBandwidthCapMbps: vcluster.caps.storageMbps }),
    version: BigInt(vcluster.version),
    createdAt: timestampToProto(vcluster.createdAt),
  });

/** Reads a vCluster. */
export const vclusterFromProto = (proto: VClusterResponse): VCluster => ({
  id: vclusterId(proto.vclusterId),
  version: logIndex(Number(proto.version)),
  tenant: tenantId(proto.tenantId),
  name: proto.name,
  schedulerType: proto.schedulerType as SchedulerType,
  weights: weightsFromProto(proto.costWeights ?? create(CostWeightsSpecSchema)),
  dedicatedNodes: proto.dedicatedNodes.map(nodeId),
  allowsBorrowing: proto.allowBorrowing,
  allowsLending: proto.allowLending,
  sharesNodes: proto.nodeSharing,
  ...vclusterLimitsFromProto(proto),
  ...capsFromProto(proto),
  createdAt: timestampFromProto(proto.createdAt),
});
