/** vClusters: the policies under which tenants run work. */
import { compareText } from "../../../base/compare.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import type { NodeId } from "../../../core/domain/ids.ts";
import { nodeId, tenantId, vclusterId } from "../../../core/domain/ids.ts";
import type { CostWeights, DrawCaps, SchedulerType, VCluster } from "../../../core/domain/tenant.ts";
import { DEFAULT_WEIGHTS, SCHEDULER_TYPES, vclusterIdOf } from "../../../core/domain/tenant.ts";
import type { Call } from "../call.ts";
import type { Server } from "../server.ts";
import { demand, may, resourceOf } from "./access.ts";
import { allocationDetail } from "./details.ts";
import { checkName } from "./names.ts";
import { pageByText } from "./paging.ts";
import { propose } from "./propose.ts";
import type { Page, PageRequest, QueueDetail } from "./results.ts";

/** What to set of a vCluster; absent fields stay. */
export interface VClusterSettings {
  readonly schedulerType?: string;
  readonly weights?: Partial<CostWeights>;
  readonly dedicatedNodes?: readonly string[];
  readonly allowsBorrowing?: boolean;
  readonly allowsLending?: boolean;
  readonly sharesNodes?: boolean;
  readonly lendPart?: number;
  readonly borrowNodesMax?: number;
  readonly splitsGpus?: boolean;
  /** 0 takes the limit away. */
  readonly powerWattsMax?: number;
  readonly storageMbpsMax?: number;
}

/** Creates a vCluster of a tenant. */
export async function createVCluster(
  server: Server,
  call: Call,
  wanted: VClusterSettings & { readonly tenant: string; readonly name: string },
): Promise<VCluster> {
  const tenant = tenantId(wanted.tenant);
  demand(call, "vcluster.create", { tenant });
  const name = checkName("vCluster", wanted.name);
  const vcluster = vclusterIdOf(tenant, name);
  const body = {
    kind: "create-vcluster",
    vcluster,
    tenant,
    name,
    schedulerType: schedulerTypeOf(wanted.schedulerType) ?? "hpc_backfill",
    weights: { ...DEFAULT_WEIGHTS, ...checkWeights(wanted.weights ?? {}) },
    dedicatedNodes: nodeIds(server, wanted.dedicatedNodes ?? []),
    allowsBorrowing: wanted.allowsBorrowing ?? true,
    allowsLending: wanted.allowsLending ?? true,
    sharesNodes: wanted.sharesNodes ?? false,
    ...limitsOf(wanted),
    ...capsOf(wanted, {}),
  } as const;
  const act = { operation: "vcluster.create", target: { tenant, vcluster } } as const;
  await propose(server, call, { operation: body.kind, request: body, body, act });
  return findVCluster(server, vcluster);
}

/** Changes what is given of a vCluster. */
export async function updateVCluster(
  server: Server,
  call: Call,
  { id, change }: { readonly id: string; readonly change: VClusterSettings },
): Promise<VCluster> {
  const before = findVCluster(server, id);
  demand(call, "vcluster.update", { tenant: before.tenant });
  const schedulerType = schedulerTypeOf(change.schedulerType);
  const { weights, dedicatedNodes, allowsBorrowing, allowsLending, sharesNodes } = change;
  const body = {
    kind: "update-vcluster",
    vcluster: before.id,
    ...(schedulerType && { schedulerType }),
    ...(weights && { weights: { ...before.weights, ...checkWeights(weights) } }),
    ...(dedicatedNodes && { dedicatedNodes: nodeIds(server, dedicatedNodes) }),
    ...(allowsBorrowing !== undefined && { allowsBorrowing }),
    ...(allowsLending !== undefined && { allowsLending }),
    ...(sharesNodes !== undefined && { sharesNodes }),
    ...limitsOf(change),
    ...capsOf(change, before.caps ?? {}),
  } as const;
  const act = { operation: "vcluster.update", target: { tenant: before.tenant, vcluster: before.id } } as const;
  await propose(server, call, { operation: body.kind, request: body, body, act });
  return findVCluster(server, id);
}

/** Returns one vCluster. */
export async function getVCluster(server: Server, call: Call, id: string): Promise<VCluster> {
  demand(call, "vcluster.read");
  return findVCluster(server, id);
}

/** Returns vClusters by id. */
export async function listVClusters(
  server: Server,
  call: Call,
  { filter, page }: { readonly filter: { readonly tenant?: string }; readonly page: PageRequest },
): Promise<Page<VCluster>> {
  demand(call, "vcluster.read");
  const vclusters = [...server.replica.state.tables.vclusters.values()]
    .filter((v) => !filter.tenant || v.tenant === filter.tenant)
    .sort((a, b) => compareText(a.id, b.id));
  return pageByText(vclusters, (v) => v.id, page);
}

/** Returns what waits and runs in a vCluster; what waits in the order in which it is looked at. */
export async function getVClusterQueue(server: Server, call: Call, id: string): Promise<QueueDetail> {
  demand(call, "vcluster.read");
  const vcluster = findVCluster(server, id);
  const { tables, indexes } = server.replica.state;
  const waiting = [...indexes.queue].reverse().flatMap((queue) => [...queue.values()]);
  const inThis = (ids: Iterable<(typeof waiting)[number]>) =>
    [...ids].flatMap((a) => {
      const record = tables.allocations.get(a);
      return record?.spec.vcluster === vcluster.id ? [record] : [];
    });
  const pending = inThis(waiting);
  const running = inThis(indexes.active).length;
  const visible = pending.filter((a) => may(call, "allocation.read", resourceOf(a)));
  const allocations = visible.map((a) => allocationDetail(server, a));
  return { vcluster: vcluster.id, pending: pending.length, running, allocations };
}

function findVCluster(server: Server, id: string): VCluster {
  // Ids hold a slash, which a path cannot: `tenant--name` is the same vCluster.
  const { vclusters } = server.replica.state.tables;
  const found = vclusters.get(vclusterId(id)) ?? vclusters.get(vclusterId(id.replace("--", "/")));
  if (!found) throw new LatticeError(fault("VCLUSTER_NOT_FOUND", `there is no vCluster ${id}`));
  return found;
}

function schedulerTypeOf(text: string | undefined): SchedulerType | undefined {
  if (text === undefined || text === "") return undefined;
  const type = SCHEDULER_TYPES.find((t) => t === text);
  if (!type) {
    const next = `give one of: ${SCHEDULER_TYPES.join(", ")}`;
    throw new LatticeError(fault("INVALID_SPEC", `the scheduler type is ${JSON.stringify(text)}`, next));
  }
  return type;
}

/** What is not given stays. */
function capsOf({ powerWattsMax, storageMbpsMax }: VClusterSettings, before: DrawCaps): { readonly caps?: DrawCaps } {
  if (powerWattsMax === undefined && storageMbpsMax === undefined) return {};
  for (const cap of [powerWattsMax, storageMbpsMax]) {
    if (cap !== undefined && !(Number.isFinite(cap) && cap >= 0)) {
      throw new LatticeError(fault("INVALID_SPEC", `a cap is ${cap} and must be 0 or more`));
    }
  }
  const powerWatts = powerWattsMax ?? before.powerWatts ?? 0;
  const storageMbps = storageMbpsMax ?? before.storageMbps ?? 0;
  return { caps: { ...(powerWatts > 0 && { powerWatts }), ...(storageMbps > 0 && { storageMbps }) } };
}

function limitsOf({ lendPart, borrowNodesMax, splitsGpus }: VClusterSettings) {
  if (lendPart !== undefined && !(lendPart >= 0 && lendPart <= 1)) {
    throw new LatticeError(fault("INVALID_SPEC", `the part that is lent is ${lendPart} and must be from 0 to 1`));
  }
  if (borrowNodesMax !== undefined && !(Number.isSafeInteger(borrowNodesMax) && borrowNodesMax >= 0)) {
    throw new LatticeError(fault("INVALID_SPEC", `the nodes that are borrowed are ${borrowNodesMax} at most`));
  }
  return {
    ...(lendPart !== undefined && { lendPart }),
    ...(borrowNodesMax !== undefined && { borrowNodesMax }),
    ...(splitsGpus !== undefined && { splitsGpus }),
  };
}

function checkWeights(weights: Partial<CostWeights>): Partial<CostWeights> {
  const given = Object.entries(weights).filter(([, value]) => value !== undefined);
  const bad = given.find(([, value]) => !Number.isFinite(value) || value < 0);
  if (bad) throw new LatticeError(fault("INVALID_SPEC", `weight ${bad[0]} is ${bad[1]} and must be 0 or more`));
  return Object.fromEntries(given);
}

function nodeIds(server: Server, ids: readonly string[]): readonly NodeId[] {
  return [...new Set(ids)].map((id) => {
    if (!server.replica.state.tables.nodes.has(nodeId(id))) {
      throw new LatticeError(fault("NODE_NOT_FOUND", `there is no node ${id}`));
    }
    return nodeId(id);
  });
}
