/**
 * What the servers tell about things: the answers of reads and watches, for every face and
 * for the clients. `wire/` turns each into its message and back.
 */
import type { LogIndex, Millis } from "../../base/brand.ts";
import type { Allocation } from "./allocation.ts";
import type { Dag, DagState } from "./dag.ts";
import type { AllocationId, DagId, NodeId, ShortId, TaskGroupId, TenantId, UserId } from "./ids.ts";
import type { AllocationState } from "./lifecycle.ts";
import type { Node } from "./node.ts";
import type { Reason } from "./reason.ts";
import type { Claim } from "./resources.ts";
import type { TaskGroup } from "./task-group.ts";

/** One page of a listing; no cursor on the last one. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor?: string;
}

/** What a submission gave. */
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

/** Why an allocation waits. */
export interface Explanation {
  readonly id: AllocationId;
  readonly shortId: ShortId;
  readonly state: AllocationState;
  readonly reasons: readonly Reason[];
  /** 1 is next; 0 when it does not wait. */
  readonly position: number;
  /** When it starts, as far as that can be told. */
  readonly start?: StartEstimate;
}

/** When an allocation starts if nothing of higher rank comes. */
export interface StartEstimate {
  /** If all work lasts as long as its walltime. */
  readonly by: Millis;
  /** The scheduler keeps its nodes from then on: nothing of lower rank delays it. */
  readonly isPromised: boolean;
  /** If work lasts as long a part of its walltime as most of that which ended of late. */
  readonly likely?: Millis;
  /** If work lasts as short a part as the shortest tenth did. */
  readonly earliest?: Millis;
}

/** One change of an allocation, as watchers see it. */
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

/** A piece of the output of an allocation. */
export interface LogLine {
  readonly node: NodeId;
  readonly stream: "stdout" | "stderr";
  readonly attempt: number;
  readonly offset: number;
  readonly data: Uint8Array;
  readonly at: Millis;
}

/** A workflow with its members. */
export interface DagDetail {
  readonly dag: Dag;
  readonly state: DagState;
  readonly members: readonly AllocationDetail[];
  readonly endedAt?: Millis;
}

/** A node with what is on it. */
export interface NodeDetail {
  readonly node: Node;
  /** When this server, or the one that leads, last heard of it. */
  readonly lastHeartbeat?: Millis;
  readonly claims: readonly { readonly allocation: AllocationId; readonly claim: Claim }[];
  /** Who holds it for sensitive work, by a claim or by an allocation. */
  readonly claimedBy?: UserId;
}

/** The quorum, as one server sees it. */
export interface RaftStatus {
  readonly self: number;
  readonly leader: number | undefined;
  readonly term: number;
  readonly commit: number;
  readonly applied: number;
  readonly members: readonly RaftMemberDetail[];
  /** Where their membership stands in the log: names it in a change that must not come late. */
  readonly membersAt: number;
  readonly stateHash: string;
}

/** One member of the quorum, as one server sees it. */
export interface RaftMemberDetail {
  readonly id: number;
  /** HOST:PORT that the other members dial. */
  readonly address: string;
  readonly role: "leader" | "follower" | "learner";
  /** Known for every member by the leader, by others for themselves. */
  readonly matchIndex: number | undefined;
  /** Entries that it lacks; known where `matchIndex` is. */
  readonly lag: number | undefined;
  /** Since this server heard it; undefined when never. */
  readonly lastContactMs: number | undefined;
}
