/**
 * The commands: every durable change, as it stands in the replicated log. Time, random
 * ids and look-ups of archived records are the proposer's and travel in the command;
 * what is consecutive or derived is computed by `apply`.
 */
import type { LogIndex, Millis } from "../../base/brand.ts";
import type { Hash64 } from "../../base/hash.ts";
import type { Result } from "../../base/result.ts";
import type { AuditArchive, AuditKey, SignedAudit } from "../audit/entry.ts";
import type { AllocationSpec, Dependency, StopReason } from "../domain/allocation.ts";
import type { Registration, WorkloadReport } from "../domain/assignment.ts";
import type { Fault } from "../domain/errors.ts";
import type { AllocationId, DagId, NodeId, ShortId, TaskGroupId, TenantId, UserId, VClusterId } from "../domain/ids.ts";
import type { AllocationState } from "../domain/lifecycle.ts";
import type { NodeReservation } from "../domain/nodes/node-reservation.ts";
import type { Claim } from "../domain/resources.ts";
import type { TaskRange } from "../domain/task-group.ts";
import type { CostWeights, DrawCaps, IsolationLevel, SchedulerType, TenantQuota } from "../domain/tenant.ts";

/** A dependency as proposed: an archived upstream comes with the outcome that the proposer looked up. */
export type ProposedDependency = Dependency & { readonly archivedOutcome?: AllocationState };

/** One allocation to create. */
export interface NewAllocation {
  readonly id: AllocationId;
  readonly spec: AllocationSpec;
  readonly dependencies: readonly ProposedDependency[];
}

/** One placement; refused alone when the version or a claim no longer holds. */
export interface Placement {
  readonly allocation: AllocationId;
  readonly version: LogIndex;
  readonly claims: readonly Claim[];
}

/** Who makes room for whom. */
export interface Preemption {
  readonly allocation: AllocationId;
  readonly version: LogIndex;
  /** What it is to start on; kept for it until `holdUntil`. In ascending order. */
  readonly nodes: readonly NodeId[];
  readonly holdUntil: Millis;
  readonly victims: readonly { readonly allocation: AllocationId; readonly attempt: number }[];
  /** Time that they have to save their state. */
  readonly checkpointMs: Millis;
}

/** What one node reports. */
export interface NodeReport {
  readonly node: NodeId;
  readonly report: WorkloadReport;
}

/** What a command asks for. */
export type CommandBody =
  /** First entry of a cluster: fixes its id and creates the default tenant and vCluster. */
  | { readonly kind: "initialize-cluster"; readonly clusterId: string; readonly usageHalfLifeMs?: number }
  /** After this time use counts half; the first one begins the record of use. */
  | { readonly kind: "set-usage-half-life"; readonly halfLifeMs: number }
  | { readonly kind: "submit-allocation"; readonly allocation: NewAllocation }
  | {
      readonly kind: "submit-dag";
      readonly dag: DagId;
      readonly tenant: TenantId;
      readonly members: readonly NewAllocation[];
    }
  | {
      readonly kind: "submit-task-group";
      readonly id: TaskGroupId;
      readonly spec: AllocationSpec;
      readonly ranges: readonly TaskRange[];
      readonly concurrentMax: number;
      readonly dependencies: readonly ProposedDependency[];
    }
  /** Of an allocation or of a whole task group. */
  | {
      readonly kind: "cancel";
      readonly target: AllocationId | TaskGroupId;
      /** Only what waits still and has a deadline, because it cannot meet it any more. */
      readonly isLate?: boolean;
    }
  | { readonly kind: "cancel-dag"; readonly dag: DagId }
  | { readonly kind: "update-walltime"; readonly allocation: AllocationId; readonly walltimeMs: Millis }
  | { readonly kind: "assign-nodes"; readonly placements: readonly Placement[] }
  /** Others make room for work that waits; refused whole when any of it no longer holds. */
  | { readonly kind: "preempt-allocations"; readonly preemption: Preemption }
  /** One node more for a service that runs, or one less, which it gives back. */
  | {
      readonly kind: "scale-service";
      readonly allocation: AllocationId;
      readonly version: LogIndex;
      readonly change: { readonly kind: "grow"; readonly claim: Claim } | { readonly kind: "shrink" };
      /** What was measured, for people. */
      readonly why: string;
    }
  /** Gives back the nodes that are kept for an allocation, once their time is over. */
  | { readonly kind: "release-hold"; readonly allocation: AllocationId }
  | { readonly kind: "record-reports"; readonly node: NodeId; readonly reports: readonly WorkloadReport[] }
  /** The same of several nodes at once: an allocation is written once for all of them, however wide it is. */
  | { readonly kind: "record-node-reports"; readonly reports: readonly NodeReport[] }
  /** The servers' own enforcement, for when the agent did not end it. */
  | {
      readonly kind: "stop-allocation";
      readonly allocation: AllocationId;
      readonly attempt: number;
      readonly reason: StopReason;
    }
  | { readonly kind: "register-node"; readonly registration: Registration; readonly issues: readonly string[] }
  /** What heartbeats caused. `down` requeues by policy; work of isolation "stop" waits for `isolatedUntil`. */
  | {
      readonly kind: "set-node-health";
      readonly node: NodeId;
      readonly health: "ready" | "degraded" | "down";
      readonly reason: string;
      readonly issues: readonly string[];
      readonly isolatedUntil: Millis;
    }
  | { readonly kind: "drain-node"; readonly node: NodeId; readonly reason: string }
  | { readonly kind: "undrain-node"; readonly node: NodeId }
  | { readonly kind: "disable-node"; readonly node: NodeId; readonly reason: string }
  | { readonly kind: "enable-node"; readonly node: NodeId }
  /** Keeps a node for the proposer's sensitive work. */
  | { readonly kind: "claim-node"; readonly node: NodeId; readonly tenant?: TenantId }
  | { readonly kind: "release-node"; readonly node: NodeId }
  /** What the agent says of a wipe that it was told to do. */
  | {
      readonly kind: "record-wipe";
      readonly node: NodeId;
      readonly wipe: number;
      readonly isDone: boolean;
      readonly detail: string;
    }
  | {
      readonly kind: "create-tenant";
      readonly tenant: TenantId;
      readonly name: string;
      readonly quota: TenantQuota;
      readonly isolation: IsolationLevel;
    }
  | {
      readonly kind: "update-tenant";
      readonly tenant: TenantId;
      readonly quota?: Partial<TenantQuota>;
      readonly isolation?: IsolationLevel;
    }
  | {
      readonly kind: "create-vcluster";
      readonly vcluster: VClusterId;
      readonly tenant: TenantId;
      readonly name: string;
      readonly schedulerType: SchedulerType;
      readonly weights: CostWeights;
      readonly dedicatedNodes: readonly NodeId[];
      readonly allowsBorrowing: boolean;
      readonly allowsLending: boolean;
      readonly sharesNodes: boolean;
      readonly lendPart?: number;
      readonly borrowNodesMax?: number;
      readonly splitsGpus?: boolean;
      readonly caps?: DrawCaps;
    }
  | {
      readonly kind: "update-vcluster";
      readonly vcluster: VClusterId;
      readonly schedulerType?: SchedulerType;
      readonly weights?: CostWeights;
      readonly dedicatedNodes?: readonly NodeId[];
      readonly allowsBorrowing?: boolean;
      readonly allowsLending?: boolean;
      readonly sharesNodes?: boolean;
      readonly lendPart?: number;
      readonly borrowNodesMax?: number;
      readonly splitsGpus?: boolean;
      /** Replaces both; an empty one takes them away. */
      readonly caps?: DrawCaps;
    }
  /** An administrator's; it replaces one of the same name. */
  | {
      readonly kind: "reserve-nodes";
      readonly reservation: Omit<NodeReservation, "version" | "createdBy">;
    }
  | { readonly kind: "delete-reservation"; readonly name: string }
  /** Moves ended records from memory to the archive; skips what is still referred to. */
  | { readonly kind: "archive"; readonly ids: readonly (AllocationId | TaskGroupId | DagId)[] }
  | { readonly kind: "forget-idempotency"; readonly before: Millis }
  /** Nothing but its audit entry: what is done besides the log is recorded by it first. */
  | { readonly kind: "record-audit" }
  /** Makes a server's public key known, before it signs anything else. */
  | { readonly kind: "register-audit-key"; readonly key: AuditKey }
  /** Moves audit entries from memory to disk. */
  | { readonly kind: "retire-audit"; readonly to: number }
  /** Drops entries from disk that an archive holds; `rowsHash` is what they add to the hash of archived rows. */
  | { readonly kind: "archive-audit"; readonly archive: AuditArchive; readonly rowsHash: Hash64 };

/** The name of a command. */
export type CommandKind = CommandBody["kind"];

/** A retry-safe name for a command. The fingerprint tells a repeat from another request under the same key. */
export interface IdempotencyKey {
  /** Scoped to principal and operation. */
  readonly key: string;
  readonly fingerprint: string;
}

/** A command with who proposed it, and when. */
export type Command = CommandBody & {
  /** When it was proposed, by the proposer's clock. */
  readonly at: Millis;
  readonly by: UserId;
  readonly idempotency?: IdempotencyKey;
  /** The entry that is committed together with it. */
  readonly audit?: SignedAudit;
};

/** What may come with a command. */
export type CommandExtras = Pick<Command, "idempotency" | "audit">;

/** What a command gave, equal on every server. */
export type Output =
  | { readonly kind: "done" }
  | {
      readonly kind: "submitted";
      readonly allocations: readonly { readonly id: AllocationId; readonly shortId: ShortId }[];
      readonly taskGroup?: { readonly id: TaskGroupId; readonly shortId: ShortId };
      readonly dag?: DagId;
    }
  | { readonly kind: "cancelled"; readonly count: number }
  | { readonly kind: "drained"; readonly activeAllocations: number }
  | {
      readonly kind: "assigned";
      readonly refused: readonly { readonly allocation: AllocationId; readonly fault: Fault }[];
    };

/** What a command gave, or why it was refused. */
export type Outcome = Result<Output, Fault>;
