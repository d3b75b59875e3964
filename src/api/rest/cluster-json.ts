/** Nodes, tenants, vClusters and the quorum as REST shows them. */
import type { NodeDetail, RaftStatus } from "../../core/domain/detail.ts";
import type { CostWeights, Tenant, VCluster } from "../../core/domain/tenant.ts";
import { LEND_PART } from "../../core/domain/tenant.ts";
import { momentJson } from "./allocation-json.ts";

const GIB = 1024 ** 3;

/** Shows a node. */
export function nodeJson({ node, lastHeartbeat, claims, claimedBy }: NodeDetail) {
  const { capacity } = node;
  const owner = claims.find((c) => c.claim.isExclusive);
  return {
    id: node.id,
    state: node.state,
    state_reason: node.reason,
    group: capacity.group,
    gpu_type: capacity.gpuType,
    gpu_count: Math.floor(capacity.gpuMilli / 1000),
    cpu_cores: capacity.cpus,
    memory_gb: Math.floor(capacity.memoryBytes / GIB),
    memory_bytes: capacity.memoryBytes,
    features: capacity.features,
    conformance_fingerprint: capacity.conformance ?? null,
    unified_memory: capacity.hasUnifiedMemory ?? false,
    cxl_memory_bytes: capacity.cxlMemoryBytes ?? 0,
    power_watts: capacity.powerWatts ?? null,
    agent_address: node.address,
    agent_version: node.agentVersion,
    last_heartbeat: momentJson(lastHeartbeat),
    registered_at: momentJson(node.registeredAt),
    state_since: momentJson(node.stateSince),
    disabled: node.isDisabled,
    drain_reason: node.drainReason ?? null,
    issues: node.issues,
    version: node.version,
    claimed_by: claimedBy ?? null,
    owner: owner ? { allocation: owner.allocation } : null,
    claims: claims.map(({ allocation, claim }) => ({
      allocation_id: allocation,
      cpus: claim.cpus,
      memory_bytes: claim.memoryBytes,
      gpus: claim.gpuMilli / 1000,
      exclusive: claim.isExclusive,
    })),
  };
}

/** Shows a tenant. */
export const tenantJson = ({ id, name, quota, isolation, createdAt, version }: Tenant) => ({
  id,
  name,
  max_nodes: quota.nodesMax,
  fair_share_target: quota.fairShareTarget,
  gpu_hours_budget: quota.gpuHoursBudget ?? null,
  node_hours_budget: quota.nodeHoursBudget ?? null,
  max_concurrent_allocations: quota.concurrentAllocationsMax ?? null,
  burst_allowance: quota.burstAllowance ?? null,
  isolation_level: isolation,
  created_at: momentJson(createdAt),
  version,
});

/** Shows a vCluster. */
export const vclusterJson = (vcluster: VCluster) => ({
  id: vcluster.id,
  name: vcluster.name,
  tenant_id: vcluster.tenant,
  scheduler_type: vcluster.schedulerType,
  allow_borrowing: vcluster.allowsBorrowing,
  allow_lending: vcluster.allowsLending,
  node_sharing: vcluster.sharesNodes,
  lend_fraction: vcluster.lendPart ?? LEND_PART,
  borrow_max_nodes: vcluster.borrowNodesMax ?? null,
  gpu_fractions: vcluster.splitsGpus ?? true,
  power_cap_watts: vcluster.caps?.powerWatts ?? null,
  storage_bandwidth_cap_mbps: vcluster.caps?.storageMbps ?? null,
  dedicated_nodes: vcluster.dedicatedNodes,
  cost_weights: weightsJson(vcluster.weights),
  created_at: momentJson(vcluster.createdAt),
  version: vcluster.version,
});

const weightsJson = (weights: CostWeights) => ({
  priority: weights.priority,
  wait_time: weights.waitTime,
  fair_share: weights.fairShare,
  topology: weights.topology,
  data_readiness: weights.dataReadiness,
  backlog: weights.backlog,
  energy: weights.energy,
  checkpoint_efficiency: weights.checkpointEfficiency,
  conformance: weights.conformance,
});

/** Shows the quorum. */
export const raftJson = (status: RaftStatus) => ({
  available: status.leader !== undefined,
  state: status.leader === undefined ? "no leader" : "healthy",
  leader: status.leader === undefined ? null : String(status.leader),
  leader_id: status.leader ?? 0,
  leader_address: status.members.find((member) => member.id === status.leader)?.address ?? null,
  self_id: status.self,
  current_term: status.term,
  commit_index: status.commit,
  last_applied: status.applied,
  state_hash: status.stateHash,
  members_index: status.membersAt,
  members: status.members.map((member) => ({
    node_id: member.id,
    address: member.address,
    role: member.role,
    voter: member.role !== "learner",
    match_index: member.matchIndex ?? null,
    lag: member.lag ?? null,
    last_contact_ms: member.lastContactMs ?? null,
  })),
});
