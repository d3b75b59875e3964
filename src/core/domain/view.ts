/**
 * What `plan` may read: a narrow, read-only picture that `core/state` keeps up to date as
 * it applies, the simulator builds from a trace, and tests write by hand.
 */
import type { LogIndex, Millis } from "../../base/brand.ts";
import type { AllocationId, NodeId, ShortId, TenantId, UserId, VClusterId } from "./ids.ts";
import type { NodeState } from "./lifecycle.ts";
import type { NodeReservation } from "./nodes/node-reservation.ts";
import type { Amount, Claim, NodeCapacity, ResourceRequest } from "./resources.ts";
import type { TenantQuota, VCluster } from "./tenant.ts";

/** An allocation in the queue, whose dependencies hold. */
export interface PendingView {
  readonly id: AllocationId;
  readonly shortId: ShortId;
  readonly version: LogIndex;
  readonly tenant: TenantId;
  readonly user: UserId;
  readonly vcluster: VClusterId;
  readonly request: ResourceRequest;
  readonly preemptionClass: number;
  readonly walltimeMs: Millis;
  readonly submittedAt: Millis;
  readonly isSensitive: boolean;
  readonly notBefore?: Millis;
  /** By which it must have ended; what cannot any more is not started. */
  readonly deadline?: Millis;
  /** How it can be told to save its state; absent where it cannot. */
  readonly checkpoint?: "auto" | "manual";
  /** Nodes that are kept for it. */
  readonly hold?: readonly NodeId[];
}

/** What it takes to have an allocation make room. */
export interface Displacement {
  readonly attempt: number;
  readonly shortId: ShortId;
  readonly checkpoint?: "auto" | "manual";
  /** How often it has made room before. */
  readonly count: number;
}

/** An allocation that holds nodes. */
export interface RunningView {
  readonly id: AllocationId;
  readonly tenant: TenantId;
  readonly user: UserId;
  readonly vcluster: VClusterId;
  readonly claims: readonly Claim[];
  readonly preemptionClass: number;
  readonly walltimeMs: Millis;
  readonly startedAt?: Millis;
  readonly isSensitive: boolean;
  /** Storage bandwidth that it draws, in MB/s; absent for none. */
  readonly storageMbps?: number;
  /** Absent from what may not be displaced. */
  readonly displacement?: Displacement;
  /** Its nodes are ending it. */
  readonly isEnding?: boolean;
}

/** A node as the scheduler sees it. */
export interface NodeView {
  readonly id: NodeId;
  readonly version: LogIndex;
  readonly state: NodeState;
  readonly isDisabled: boolean;
  readonly capacity: NodeCapacity;
  /** Capacity less the claims on it. */
  readonly free: Amount;
  /** What is free of each of its GPUs, in thousandths; shares of them are of single devices. */
  readonly gpuFree: readonly number[];
  readonly claimCount: number;
  readonly hasExclusiveClaim: boolean;
  /** The allocation that it is kept for, if any. */
  readonly heldFor?: AllocationId | undefined;
}

/** A tenant as the scheduler sees it. */
export interface TenantView {
  readonly id: TenantId;
  readonly quota: TenantQuota;
  /** Nodes on which the tenant holds a claim, counted per allocation. */
  readonly nodesHeld: number;
}

/** What tenants and users have used: of late, where old use counts less, and of their budgets. */
export interface UsageView {
  /** Returns the tenant's part of all recent use, from 0 to 1. */
  tenantShare(tenant: TenantId, now: Millis): number;
  /** Returns the user's part of the tenant's recent use; undefined where the tenant has used nothing. */
  userShare(tenant: TenantId, user: UserId, now: Millis): number | undefined;
  /** Returns the part of its budgets that the tenant has used, of the one used most; 0 without a budget. */
  budgetUsed(tenant: TenantId, quota: TenantQuota, now: Millis): number;
}

/** All that `plan` may read. */
export interface ClusterView {
  /** The queue by class, highest first, then by short id: the order of submission. Walked lazily. */
  pending(): Iterable<PendingView>;
  /** Those that wait for nodes which are kept for them, by short id: they are not in the queue. Absent where nothing is kept. */
  holders?(): Iterable<PendingView>;
  /** The lowest class that holds nodes; undefined when nothing does, absent where nobody makes room. */
  lowestClassRunning?(): number | undefined;
  readonly pendingCount: number;
  running(): Iterable<RunningView>;
  /** In ascending order of id. */
  readonly nodes: readonly NodeView[];
  /** The place of a node in `nodes`. */
  placeOf(node: NodeId): number | undefined;
  tenant(id: TenantId): TenantView | undefined;
  vcluster(id: VClusterId): VCluster | undefined;
  /** The vCluster that alone may use the node, if any. */
  dedicatedTo(node: NodeId): VClusterId | undefined;
  /** Reservations of administrators, by name; absent where there are none. */
  readonly reservations?: readonly NodeReservation[] | undefined;
  /** What tenants and users have used; absent where nothing is recorded. */
  readonly usage?: UsageView | undefined;
}

/** The queue by itself, for who remembers its order. */
export interface QueueView {
  /** All that wait and whose dependencies hold, in no meaningful order. */
  ids(): readonly AllocationId[];
  /** Returns one that waits. */
  get(id: AllocationId): PendingView | undefined;
  /** How many have come to the queue so far. */
  readonly arrivals: number;
  /** Returns those that came after the first `count`, or undefined where some of them are forgotten. */
  arrivedAfter(count: number): readonly AllocationId[] | undefined;
}

/** What the scheduler decides: becomes a command that `apply` checks again. */
export type Decision = {
  readonly kind: "place";
  readonly allocation: AllocationId;
  /** The version the decision was based on. */
  readonly version: LogIndex;
  /** In rank order. */
  readonly claims: readonly Claim[];
};
