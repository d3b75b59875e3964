/**
 * The replicated state: tables of records plus indexes derived from them. Owned by one
 * loop; only `apply` writes it. Indexes are rebuilt from the tables and are no part of
 * the hash.
 *
 * Each idea of "who is in this state" has one index, kept by `index-allocation.ts`.
 */

import type { LogIndex, Millis } from "../../base/brand.ts";
import { millis } from "../../base/brand.ts";
import type { Hash64 } from "../../base/hash.ts";
import { addHash, EMPTY_HASH, hashHex } from "../../base/hash.ts";
import { OrderedMap } from "../../base/ordered-map.ts";
import type { AuditArchive, AuditEntry, AuditHead, AuditKey } from "../audit/entry.ts";
import { EMPTY_CHAIN } from "../audit/entry.ts";
import type { Allocation } from "../domain/allocation.ts";
import type { Dag } from "../domain/dag.ts";
import type { AllocationId, DagId, NodeId, TaskGroupId, TenantId, VClusterId } from "../domain/ids.ts";
import type { Node } from "../domain/node.ts";
import type { NodeReservation } from "../domain/nodes/node-reservation.ts";
import type { Amount, Claim } from "../domain/resources.ts";
import type { TaskGroup } from "../domain/task-group.ts";
import type { Tenant, VCluster } from "../domain/tenant.ts";
import { Arrivals } from "./arrivals.ts";
import type { Outcome } from "./commands.ts";
import { NodeViews } from "./node-views.ts";
import { Table } from "./table.ts";
import type { UsageRow } from "./usage.ts";

/** The one row that belongs to no noun. */
export interface Meta {
  readonly clusterId: string;
  /** The number that the next allocation or task group gets. */
  readonly nextShortId: number;
  /** Grows when a backup is restored; agents obey no older one. */
  readonly restoreEpoch: number;
  /** The latest time seen in a command: time in the state never runs backwards. */
  readonly time: Millis;
  /** Count and hash of the rows that have left memory. */
  readonly archivedCount: number;
  readonly archivedHash: Hash64;
  /** After this time use counts half; absent: use is not recorded yet. */
  readonly usageHalfLifeMs?: number;
  /** Where the chain of audit entries stands; absent before the first one. */
  readonly audit?: AuditHead;
}

/** The first outcome under an idempotency key. */
export interface RememberedOutcome {
  readonly fingerprint: string;
  readonly outcome: Outcome;
  readonly at: Millis;
}

/** Key of the meta row. */
export const META_ID = "meta";

/** The tables, by noun. */
export interface Tables {
  readonly meta: Table<typeof META_ID, Meta>;
  readonly allocations: Table<AllocationId, Allocation>;
  readonly taskGroups: Table<TaskGroupId, TaskGroup>;
  readonly dags: Table<DagId, Dag>;
  readonly nodes: Table<NodeId, Node>;
  readonly tenants: Table<TenantId, Tenant>;
  readonly vclusters: Table<VClusterId, VCluster>;
  readonly idempotency: Table<string, RememberedOutcome>;
  /** Of administrators, by name. */
  readonly reservations: Table<string, NodeReservation>;
  /** What tenants and users have used, as `usage.ts` reads and writes it. */
  readonly usage: Table<string, UsageRow>;
  /** The latest entries, by `entryId`; older ones are on disk, then in archives. */
  readonly audit: Table<string, AuditEntry>;
  /** Every key that a server has ever signed with, by its id. */
  readonly auditKeys: Table<string, AuditKey>;
  /** By `entryId` of the first entry. */
  readonly auditArchives: Table<string, AuditArchive>;
}

/** What the claims on one node add up to. */
export interface NodeLoad {
  readonly claims: Map<AllocationId, Claim>;
  used: Amount;
  /** Of each GPU, what shares hold, in thousandths. */
  readonly gpusUsed: number[];
  exclusiveCount: number;
}

/** Per tenant, the counts that quotas are checked against. */
export interface TenantLoad {
  /** Allocations that have not ended; an array counts its unborn tasks as one. */
  readonly open: number;
  /** Nodes held, counted per allocation. */
  readonly nodesHeld: number;
}

/** What is derived from the tables. */
export interface Indexes {
  readonly byShortId: Map<number, AllocationId | TaskGroupId>;
  /** Pending, all dependencies satisfied, no nodes kept for them: by class, then by short id. */
  readonly queue: readonly OrderedMap<AllocationId>[];
  readonly arrivals: Arrivals;
  /** Those that have not ended and have a deadline. */
  readonly withDeadline: Set<AllocationId>;
  /** Holding nodes. */
  readonly active: Set<AllocationId>;
  /** How many hold nodes, by class. */
  readonly activeByClass: number[];
  /** Pending, with nodes kept for them, by short id. */
  readonly holders: OrderedMap<AllocationId>;
  /** For whom a node is kept. */
  readonly heldFor: Map<NodeId, AllocationId>;
  readonly nodeLoad: Map<NodeId, NodeLoad>;
  readonly nodeViews: NodeViews;
  readonly tenantLoad: Map<TenantId, TenantLoad>;
  /** Upstream to those that wait for it. */
  readonly dependents: Map<AllocationId | TaskGroupId, Set<AllocationId | TaskGroupId>>;
  /** Ended and still in memory, in the order they ended. */
  readonly ended: Map<AllocationId, LogIndex>;
  /** Tasks of an array that are in memory, by index. */
  readonly tasks: Map<TaskGroupId, Map<number, AllocationId>>;
  /** Holder of a mutex name. */
  readonly mutexHolders: Map<string, AllocationId | TaskGroupId>;
  /** Those that wait for a mutex name, by short id. */
  readonly mutexWaiters: Map<string, OrderedMap<AllocationId | TaskGroupId>>;
  /** Nodes that only one vCluster may use. */
  readonly dedicated: Map<NodeId, VClusterId>;
  /** Nodes that somebody has claimed for sensitive work. */
  readonly claimed: Set<NodeId>;
}

export interface State {
  readonly tables: Tables;
  readonly indexes: Indexes;
}

/** Returns the state before the first command. */
export function emptyState(): State {
  const tables: Tables = {
    meta: new Table("meta"),
    allocations: new Table("allocations"),
    taskGroups: new Table("taskGroups"),
    dags: new Table("dags"),
    nodes: new Table("nodes"),
    tenants: new Table("tenants"),
    vclusters: new Table("vclusters"),
    idempotency: new Table("idempotency"),
    reservations: new Table("reservations"),
    usage: new Table("usage"),
    audit: new Table("audit"),
    auditKeys: new Table("auditKeys"),
    auditArchives: new Table("auditArchives"),
  };
  return { tables, indexes: emptyIndexes() };
}

function emptyIndexes(): Indexes {
  return {
    byShortId: new Map(),
    queue: Array.from({ length: 11 }, () => new OrderedMap<AllocationId>()),
    arrivals: new Arrivals(),
    withDeadline: new Set(),
    active: new Set(),
    activeByClass: Array.from({ length: 11 }, () => 0),
    holders: new OrderedMap(),
    heldFor: new Map(),
    nodeLoad: new Map(),
    nodeViews: new NodeViews(),
    tenantLoad: new Map(),
    dependents: new Map(),
    ended: new Map(),
    tasks: new Map(),
    mutexHolders: new Map(),
    mutexWaiters: new Map(),
    dedicated: new Map(),
    claimed: new Set(),
  };
}

const FIRST_META: Meta = {
  clusterId: "",
  nextShortId: 1,
  restoreEpoch: 1,
  time: millis(0),
  archivedCount: 0,
  archivedHash: EMPTY_HASH,
};

/** Returns the meta row. */
export const metaOf = (state: State): Meta => state.tables.meta.get(META_ID) ?? FIRST_META;

/** Returns where the chain of audit entries stands. */
export const auditHeadOf = (state: State): AuditHead => metaOf(state).audit ?? EMPTY_CHAIN;

/** Returns the canonical hash of the state, archive included, as 16 hexadecimal digits. */
export function stateHash(state: State): string {
  let sum = EMPTY_HASH;
  for (const table of Object.values(state.tables)) sum = addHash(sum, table.hash());
  return hashHex(sum);
}
