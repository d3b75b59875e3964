/** Tenants and vClusters: who shares the machine, and under which policy. */
import type { LogIndex, Millis } from "../../base/brand.ts";
import type { NodeId, TenantId, VClusterId } from "./ids.ts";
import { tenantId, vclusterId } from "./ids.ts";
import { LIMITS } from "./limits.ts";

/** How far a tenant is kept apart from others. */
export const ISOLATION_LEVELS = ["standard", "strict"] as const;
export type IsolationLevel = (typeof ISOLATION_LEVELS)[number];

/** Nodes and counts are hard limits; hours are budgets that only weigh on priority. */
export interface TenantQuota {
  readonly nodesMax: number;
  readonly fairShareTarget: number;
  readonly concurrentAllocationsMax?: number;
  readonly gpuHoursBudget?: number;
  readonly nodeHoursBudget?: number;
  readonly burstAllowance?: number;
}

export interface Tenant {
  readonly id: TenantId;
  readonly version: LogIndex;
  readonly name: string;
  readonly quota: TenantQuota;
  readonly isolation: IsolationLevel;
  readonly createdAt: Millis;
}

/** The policies a vCluster can ask for. */
export const SCHEDULER_TYPES = [
  "hpc_backfill",
  "service_bin_pack",
  "sensitive_reservation",
  "interactive_fifo",
] as const;
export type SchedulerType = (typeof SCHEDULER_TYPES)[number];

/** Weights of the nine scoring factors. */
export interface CostWeights {
  readonly priority: number;
  readonly waitTime: number;
  readonly fairShare: number;
  readonly topology: number;
  readonly dataReadiness: number;
  readonly backlog: number;
  readonly energy: number;
  readonly checkpointEfficiency: number;
  readonly conformance: number;
}

/** The weights of a vCluster that names none. */
export const DEFAULT_WEIGHTS: CostWeights = {
  priority: 0.2,
  waitTime: 0.2,
  fairShare: 0.2,
  topology: 0.15,
  dataReadiness: 0.1,
  backlog: 0.05,
  energy: 0,
  checkpointEfficiency: 0,
  conformance: 0.1,
};

/** Limits on what running work draws together; absent ones do not limit. */
export interface DrawCaps {
  readonly powerWatts?: number;
  /** Storage bandwidth in MB/s. */
  readonly storageMbps?: number;
}

/** A part of the cluster under one policy. */
export interface VCluster {
  readonly id: VClusterId;
  readonly version: LogIndex;
  readonly tenant: TenantId;
  readonly name: string;
  readonly schedulerType: SchedulerType;
  readonly weights: CostWeights;
  /** Only this vCluster places work on these. */
  readonly dedicatedNodes: readonly NodeId[];
  readonly allowsBorrowing: boolean;
  readonly allowsLending: boolean;
  /** Of its dedicated nodes, the part that others may hold at most, from 0 to 1; LEND_PART where it is left out. */
  readonly lendPart?: number;
  /** How many nodes of others it may hold at most; as many as are lent where it is left out. */
  readonly borrowNodesMax?: number;
  /** Several allocations may hold shares of one node. */
  readonly sharesNodes: boolean;
  /** Shares may be of parts of a GPU; true where it is left out. */
  readonly splitsGpus?: boolean;
  /** What its running work may draw together. */
  readonly caps?: DrawCaps;
  readonly createdAt: Millis;
}

/** What a vCluster lends of its nodes where it does not say. */
export const LEND_PART = 0.2;

/** Returns how many of its nodes a vCluster lends at most. Nodes for sensitive work are never lent. */
export const lendMaxOf = ({ allowsLending, schedulerType, dedicatedNodes, lendPart = LEND_PART }: VCluster): number =>
  allowsLending && schedulerType !== "sensitive_reservation" ? Math.floor(dedicatedNodes.length * lendPart) : 0;

/** Returns how many nodes of others a vCluster may hold. Sensitive work never borrows. */
export const borrowMaxOf = ({ allowsBorrowing, schedulerType, borrowNodesMax }: VCluster): number =>
  allowsBorrowing && schedulerType !== "sensitive_reservation" ? (borrowNodesMax ?? Number.POSITIVE_INFINITY) : 0;

/** Returns whether work may be on nodes that it has to give back: not what is never displaced. */
export const mayBorrow = (work: { readonly isSensitive: boolean; readonly preemptionClass: number }): boolean =>
  !work.isSensitive && work.preemptionClass < LIMITS.preemptionClassMax;

/** Exist on every cluster, so that work can be submitted to a fresh one. Every tenant may use the vCluster. */
export const DEFAULT_TENANT: TenantId = tenantId("default");
export const DEFAULT_VCLUSTER: VClusterId = vclusterId("default");

/** Returns the id of a tenant's vCluster. */
export const vclusterIdOf = (tenant: TenantId, name: string): VClusterId => vclusterId(`${tenant}/${name}`);
