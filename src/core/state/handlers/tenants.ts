/** Tenants and vClusters. */

import type { Result } from "../../../base/result.ts";
import { ok } from "../../../base/result.ts";
import type { Fault } from "../../domain/errors.ts";
import { refuse } from "../../domain/errors.ts";
import type { NodeId, VClusterId } from "../../domain/ids.ts";
import type { Tenant, TenantQuota, VCluster } from "../../domain/tenant.ts";
import type { Applying } from "../applying.ts";
import type { CommandBody, Outcome } from "../commands.ts";
import type { State } from "../state.ts";

type Of<K extends CommandBody["kind"]> = Extract<CommandBody, { kind: K }>;

const DONE = ok({ kind: "done" } as const);

/** Creates a tenant. */
export function createTenant(ctx: Applying, command: Of<"create-tenant">): Outcome {
  const { tenant: id, name, quota, isolation } = command;
  if (ctx.state.tables.tenants.has(id)) return refuse("ALREADY_EXISTS", `tenant ${id} exists already`);
  putTenant(ctx, { id, name, quota, isolation, version: ctx.index, createdAt: ctx.at });
  return DONE;
}

/** Changes what is given; a smaller quota only blocks what is new. */
export function updateTenant(ctx: Applying, command: Of<"update-tenant">): Outcome {
  const before = ctx.state.tables.tenants.get(command.tenant);
  if (!before) return refuse("TENANT_NOT_FOUND", `there is no tenant ${command.tenant}`);
  const quota: TenantQuota = { ...before.quota, ...command.quota };
  putTenant(ctx, { ...before, version: ctx.index, quota, isolation: command.isolation ?? before.isolation });
  return DONE;
}

/** Creates a vCluster of a tenant. */
export function createVCluster(ctx: Applying, command: Of<"create-vcluster">): Outcome {
  const { kind: _, vcluster: id, ...fields } = command;
  if (!ctx.state.tables.tenants.has(fields.tenant)) {
    return refuse("TENANT_NOT_FOUND", `there is no tenant ${fields.tenant}`);
  }
  if (ctx.state.tables.vclusters.has(id)) return refuse("ALREADY_EXISTS", `vCluster ${id} exists already`);
  const { tenant, name, schedulerType, weights, dedicatedNodes, allowsBorrowing, allowsLending, sharesNodes } = fields;
  const required = { schedulerType, weights, dedicatedNodes, allowsBorrowing, allowsLending, sharesNodes };
  const settings = { ...required, ...limitsOf(fields) };
  return putVCluster(ctx, { id, tenant, name, ...settings, version: ctx.index, createdAt: ctx.at });
}

/** Changes what is given. */
export function updateVCluster(ctx: Applying, command: Of<"update-vcluster">): Outcome {
  const before = ctx.state.tables.vclusters.get(command.vcluster);
  if (!before) return refuse("VCLUSTER_NOT_FOUND", `there is no vCluster ${command.vcluster}`);
  return putVCluster(ctx, {
    ...before,
    version: ctx.index,
    schedulerType: command.schedulerType ?? before.schedulerType,
    weights: command.weights ?? before.weights,
    dedicatedNodes: command.dedicatedNodes ?? before.dedicatedNodes,
    allowsBorrowing: command.allowsBorrowing ?? before.allowsBorrowing,
    allowsLending: command.allowsLending ?? before.allowsLending,
    sharesNodes: command.sharesNodes ?? before.sharesNodes,
    ...limitsOf(command),
  });
}

/** What stands in a record only once it has been said. */
const limitsOf = ({ lendPart, borrowNodesMax, splitsGpus, caps }: Pick<VCluster, OptionalSetting>) => ({
  ...(lendPart !== undefined && { lendPart }),
  ...(borrowNodesMax !== undefined && { borrowNodesMax }),
  ...(splitsGpus !== undefined && { splitsGpus }),
  ...(caps !== undefined && { caps }),
});

type OptionalSetting = "lendPart" | "borrowNodesMax" | "splitsGpus" | "caps";

function putTenant(ctx: Applying, tenant: Tenant): void {
  ctx.state.tables.tenants.put(tenant.id, tenant);
  ctx.events.push({ kind: "policy-changed" });
}

function putVCluster(ctx: Applying, vcluster: VCluster): Outcome {
  const free = checkDedicated(ctx.state, vcluster.id, vcluster.dedicatedNodes);
  if (!free.ok) return free;
  const before = ctx.state.tables.vclusters.get(vcluster.id);
  for (const node of before?.dedicatedNodes ?? []) ctx.state.indexes.dedicated.delete(node);
  ctx.state.tables.vclusters.put(vcluster.id, vcluster);
  indexVCluster(ctx.state, vcluster);
  ctx.events.push({ kind: "policy-changed" });
  return DONE;
}

/** Puts a vCluster into the index of dedicated nodes. */
export function indexVCluster(state: State, vcluster: VCluster): void {
  for (const node of vcluster.dedicatedNodes) state.indexes.dedicated.set(node, vcluster.id);
}

/** A node is dedicated to one vCluster at most. */
function checkDedicated(state: State, id: VClusterId, nodes: readonly NodeId[]): Result<void, Fault> {
  for (const node of nodes) {
    const owner = state.indexes.dedicated.get(node);
    if (owner !== undefined && owner !== id) {
      return refuse("ALREADY_EXISTS", `node ${node} is dedicated to vCluster ${owner}`);
    }
  }
  return ok(undefined);
}
