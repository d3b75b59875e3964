/** What operations give back: domain data for every face to render. */
import type { LogIndex, Millis } from "../../../base/brand.ts";
import type { Allocation } from "../../../core/domain/allocation.ts";
import type { Dag, DagState } from "../../../core/domain/dag.ts";
import type { AllocationId, DagId, NodeId, ShortId, TaskGroupId, TenantId } from "../../../core/domain/ids.ts";
import type { AllocationState } from "../../../core/domain/lifecycle.ts";
import type { Node } from "../../../core/domain/node.ts";
import type { Reason } from "../../../core/domain/reason.ts";
import type { Claim } from "../../../core/domain/resources.ts";
import type { TaskGroup } from "../../../core/domain/task-group.ts";

/** One page of a listing; no cursor on the last one. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor?: string;
}

export interface PageRequest {
  /** 0 takes the default. */
  readonly limit: number;
  /** Empty for the first page. */
  readonly cursor: string;
}

export interface Submitted {
  readonly allocations: readonly { readonly id: AllocationId; readonly shortId: ShortId }[];
  readonly taskGroup?: { readonly id: TaskGroupId; readonly shortId: ShortId };
  readonly dag?: DagId;
  readonly warnings: readonly string[];
}

/** An allocation, or the task group that the id named. */
export type AllocationDetail =
  | { readonly kind: "allocation"; readonly allocation: Allocation; readonly reasons: readonly Reason[] }
  | {
      readonly kind: "task-group";
      readonly group: TaskGroup;
      readonly state: AllocationState;
      readonly reasons: readonly Reason[];
    };

export interface Explanation {
  readonly id: AllocationId;
  readonly shortId: ShortId;
  readonly state: AllocationState;
  readonly reasons: readonly Reason[];
  /** 1 is next; 0 when it does not wait. */
  readonly position: number;
}

export interface AllocationFilter {
  readonly tenant?: string;
  readonly user?: string;
  readonly vcluster?: string;
  readonly name?: string;
  /** Empty matches all. */
  readonly states?: readonly AllocationState[];
  readonly dag?: string;
  /** Id of a task group: lists its tasks. */
  readonly group?: string;
}

export interface AllocationEvent {
  readonly index: LogIndex;
  readonly at: Millis;
  readonly allocation: AllocationId;
  readonly shortId: ShortId;
  readonly tenant: TenantId;
  readonly from?: AllocationState;
  readonly to: AllocationState;
  readonly message: string;
}

export interface LogLine {
  readonly node: NodeId;
  readonly stream: "stdout" | "stderr";
  readonly attempt: number;
  readonly offset: number;
  readonly data: Uint8Array;
  readonly at: Millis;
}

export interface LogQuery {
  readonly ref: string;
  readonly streams: readonly ("stdout" | "stderr")[];
  /** Empty for every node. */
  readonly node: string;
  /** 0 is the latest. */
  readonly attempt: number;
  readonly offset: number;
  /** 0 is to the end. */
  readonly length: number;
  readonly isFollowing: boolean;
  /** 0 is all. */
  readonly tailLines: number;
}

export interface DagDetail {
  readonly dag: Dag;
  readonly state: DagState;
  readonly members: readonly AllocationDetail[];
  readonly endedAt?: Millis;
}

export interface NodeDetail {
  readonly node: Node;
  /** When this server, or the one that leads, last heard of it. */
  readonly lastHeartbeat?: Millis;
  readonly claims: readonly { readonly allocation: AllocationId; readonly claim: Claim }[];
}

export interface QueueDetail {
  readonly vcluster: string;
  readonly pending: number;
  readonly running: number;
  readonly allocations: readonly AllocationDetail[];
}

export interface RaftStatus {
  readonly self: number;
  readonly leader: number | undefined;
  readonly term: number;
  readonly commit: number;
  readonly applied: number;
  readonly members: readonly {
    readonly id: number;
    readonly address: string;
    readonly role: string;
    readonly matchIndex: number;
    readonly lag: number;
    readonly lastContactMs: number;
  }[];
  readonly stateHash: string;
}

export interface Readiness {
  readonly isReady: boolean;
  readonly detail: string;
}
