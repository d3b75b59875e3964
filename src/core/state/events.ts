/** What `apply` tells the loops: past facts. They wake the scheduler, the agents' streams and the watchers. */
import type { LogIndex, Millis } from "../../base/brand.ts";
import type { AllocationId, DagId, NodeId, ShortId, TaskGroupId, TenantId, UserId, VClusterId } from "../domain/ids.ts";
import type { AllocationState, NodeState } from "../domain/lifecycle.ts";

/** An allocation is in another state. */
export interface AllocationChanged {
  readonly kind: "allocation-changed";
  readonly index: LogIndex;
  readonly at: Millis;
  readonly allocation: AllocationId;
  readonly shortId: ShortId;
  readonly tenant: TenantId;
  readonly vcluster: VClusterId;
  readonly user: UserId;
  readonly group?: TaskGroupId;
  readonly dag?: DagId;
  /** Absent when it was created by this change. */
  readonly from?: AllocationState;
  readonly to: AllocationState;
  readonly message: string;
  /** Seen by its owner and the system's administrators only. */
  readonly isSensitive: boolean;
}

/** A node is in another state. */
export interface NodeChanged {
  readonly kind: "node-changed";
  readonly index: LogIndex;
  readonly at: Millis;
  readonly node: NodeId;
  readonly from?: NodeState;
  readonly to: NodeState;
  readonly reason: string;
}

/** The desired set of a node is another one now. */
export interface AssignmentsChanged {
  readonly kind: "assignments-changed";
  readonly node: NodeId;
}

/** Tenants, quotas or vClusters changed: what waits may fit now. */
export interface PolicyChanged {
  readonly kind: "policy-changed";
}

/** Any past fact. */
export type StateEvent = AllocationChanged | NodeChanged | AssignmentsChanged | PolicyChanged;
