/** Routes of nodes, tenants and vClusters. */
import { t } from "elysia";
import type { CostWeights, TenantQuota } from "../../core/domain/tenant.ts";
import {
  claimNode,
  disableNode,
  drainNode,
  enableNode,
  getNode,
  listNodes,
  releaseNode,
  undrainNode,
} from "../../engine/server/operations/nodes.ts";
import { createTenant, getTenant, listTenants, updateTenant } from "../../engine/server/operations/tenants.ts";
import {
  createVCluster,
  getVCluster,
  getVClusterQueue,
  listVClusters,
  updateVCluster,
  type VClusterSettings,
} from "../../engine/server/operations/vclusters.ts";
import { listedAllocationJson } from "./allocation-json.ts";
import { nodeJson, tenantJson, vclusterJson } from "./cluster-json.ts";
import { integer, jsonBody, optionalJsonBody } from "./json-body.ts";
import { created, json, PAGE_QUERY, page, param, queryOf, type Route } from "./route.ts";

const REASON_BODY = optionalJsonBody(t.Object({ reason: t.Optional(t.String()) }));

/** Nodes. */
export const NODE_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/nodes",
    operation: "node.read",
    summary: "Lists nodes",
    query: {
      state: "in this state",
      group: "of this group",
      tenant: "on which this tenant holds a claim",
      vcluster: "dedicated to this vCluster",
      ...PAGE_QUERY,
    },
    async handle(context) {
      const query = queryOf(context);
      const asked = { filter: query.texts("state", "group", "tenant", "vcluster"), page: query.page() };
      return page(await listNodes(context.server, context.call, asked), nodeJson);
    },
  },
  {
    method: "GET",
    path: "/api/v1/nodes/:id",
    operation: "node.read",
    summary: "Shows a node",
    handle: async (context) => json(nodeJson(await getNode(context.server, context.call, param(context, "id")))),
  },
  {
    method: "POST",
    path: "/api/v1/nodes/:id/drain",
    operation: "node.drain",
    summary: "Lets a node finish what it runs and gives it nothing new",
    body: REASON_BODY,
    async handle(context) {
      const { reason = "" } = await REASON_BODY.read(context.request);
      const active = await drainNode(context.server, context.call, { id: param(context, "id"), reason });
      return json({ success: true, active_allocations: active });
    },
  },
  {
    method: "POST",
    path: "/api/v1/nodes/:id/undrain",
    operation: "node.undrain",
    summary: "Gives a drained node back to the scheduler",
    async handle(context) {
      await undrainNode(context.server, context.call, param(context, "id"));
      return json({ success: true });
    },
  },
  {
    method: "POST",
    path: "/api/v1/nodes/:id/disable",
    operation: "node.disable",
    summary: "Takes a node out until it is enabled",
    body: REASON_BODY,
    async handle(context) {
      const { reason = "" } = await REASON_BODY.read(context.request);
      await disableNode(context.server, context.call, { id: param(context, "id"), reason });
      return json({ success: true });
    },
  },
  {
    method: "POST",
    path: "/api/v1/nodes/:id/claim",
    operation: "node.claim",
    summary: "Keeps an idle node for the caller's sensitive work",
    handle: async (context) => json(nodeJson(await claimNode(context.server, context.call, param(context, "id")))),
  },
  {
    method: "POST",
    path: "/api/v1/nodes/:id/release",
    operation: "node.release",
    summary: "Gives a claimed node back, which is wiped before it takes other work",
    handle: async (context) => json(nodeJson(await releaseNode(context.server, context.call, param(context, "id")))),
  },
  {
    method: "POST",
    path: "/api/v1/nodes/:id/enable",
    operation: "node.enable",
    summary: "Undoes disable; wipes a node again whose wipe has failed",
    async handle(context) {
      await enableNode(context.server, context.call, param(context, "id"));
      return json({ success: true });
    },
  },
];

const QUOTA = {
  max_nodes: t.Optional(integer()),
  fair_share_target: t.Optional(t.Number()),
  gpu_hours_budget: t.Optional(t.Number()),
  node_hours_budget: t.Optional(t.Number()),
  max_concurrent_allocations: t.Optional(integer()),
  burst_allowance: t.Optional(t.Number()),
  isolation_level: t.Optional(t.String({ description: "standard or strict" })),
};

const CREATE_TENANT_BODY = jsonBody(t.Object({ name: t.String(), ...QUOTA }));
const UPDATE_TENANT_BODY = jsonBody(t.Object(QUOTA));

type QuotaBody = Awaited<ReturnType<typeof UPDATE_TENANT_BODY.read>>;

const tenantChangeOf = (body: QuotaBody) => ({
  quota: quotaOf(body),
  ...(body.isolation_level !== undefined && { isolation: body.isolation_level }),
});

const quotaOf = (body: QuotaBody): Partial<TenantQuota> => ({
  ...(body.max_nodes !== undefined && { nodesMax: body.max_nodes }),
  ...(body.fair_share_target !== undefined && { fairShareTarget: body.fair_share_target }),
  ...(body.gpu_hours_budget !== undefined && { gpuHoursBudget: body.gpu_hours_budget }),
  ...(body.node_hours_budget !== undefined && { nodeHoursBudget: body.node_hours_budget }),
  ...(body.burst_allowance !== undefined && { burstAllowance: body.burst_allowance }),
  ...(body.max_concurrent_allocations !== undefined && { concurrentAllocationsMax: body.max_concurrent_allocations }),
});

/** Tenants. */
export const TENANT_ROUTES: readonly Route[] = [
  {
    method: "POST",
    path: "/api/v1/tenants",
    operation: "tenant.create",
    summary: "Creates a tenant",
    body: CREATE_TENANT_BODY,
    async handle({ server, call, request }) {
      const body = await CREATE_TENANT_BODY.read(request);
      return created(tenantJson(await createTenant(server, call, { name: body.name, ...tenantChangeOf(body) })));
    },
  },
  {
    method: "GET",
    path: "/api/v1/tenants",
    operation: "tenant.read",
    summary: "Lists tenants",
    query: PAGE_QUERY,
    handle: async (context) =>
      page(await listTenants(context.server, context.call, queryOf(context).page()), tenantJson),
  },
  {
    method: "GET",
    path: "/api/v1/tenants/:id",
    operation: "tenant.read",
    summary: "Shows a tenant",
    handle: async (context) => json(tenantJson(await getTenant(context.server, context.call, param(context, "id")))),
  },
  {
    method: "PUT",
    path: "/api/v1/tenants/:id",
    operation: "tenant.update",
    summary: "Changes what is given of a tenant",
    body: UPDATE_TENANT_BODY,
    async handle(context) {
      const change = tenantChangeOf(await UPDATE_TENANT_BODY.read(context.request));
      return json(tenantJson(await updateTenant(context.server, context.call, { id: param(context, "id"), change })));
    },
  },
];

const WEIGHTS = t.Object({
  priority: t.Optional(t.Number()),
  wait_time: t.Optional(t.Number()),
  fair_share: t.Optional(t.Number()),
  topology: t.Optional(t.Number()),
  data_readiness: t.Optional(t.Number()),
  backlog: t.Optional(t.Number()),
  energy: t.Optional(t.Number()),
  checkpoint_efficiency: t.Optional(t.Number()),
  conformance: t.Optional(t.Number()),
});

const VCLUSTER = {
  scheduler_type: t.Optional(
    t.String({ description: "hpc_backfill, service_bin_pack, sensitive_reservation or interactive_fifo" }),
  ),
  allow_borrowing: t.Optional(t.Boolean()),
  allow_lending: t.Optional(t.Boolean()),
  node_sharing: t.Optional(t.Boolean()),
  lend_fraction: t.Optional(t.Number({ description: "of its dedicated nodes, what others may hold; 0.2 when absent" })),
  borrow_max_nodes: t.Optional(integer("nodes of others that it may hold; what they lend when absent")),
  power_cap_watts: t.Optional(integer("what its running work may draw together; 0 takes the limit away")),
  storage_bandwidth_cap_mbps: t.Optional(integer("the same of the storage, in MB/s")),
  gpu_fractions: t.Optional(t.Boolean({ description: "shares may be of parts of a GPU; true when absent" })),
  dedicated_nodes: t.Optional(t.Array(t.String())),
  cost_weights: t.Optional(WEIGHTS),
};

const CREATE_VCLUSTER_BODY = jsonBody(t.Object({ tenant_id: t.String(), name: t.String(), ...VCLUSTER }));
const UPDATE_VCLUSTER_BODY = jsonBody(t.Object(VCLUSTER));

type VClusterBody = Awaited<ReturnType<typeof UPDATE_VCLUSTER_BODY.read>>;

const vclusterSettingsOf = (body: VClusterBody): VClusterSettings => ({
  ...(body.scheduler_type !== undefined && { schedulerType: body.scheduler_type }),
  ...(body.allow_borrowing !== undefined && { allowsBorrowing: body.allow_borrowing }),
  ...(body.allow_lending !== undefined && { allowsLending: body.allow_lending }),
  ...(body.node_sharing !== undefined && { sharesNodes: body.node_sharing }),
  ...(body.lend_fraction !== undefined && { lendPart: body.lend_fraction }),
  ...(body.borrow_max_nodes !== undefined && { borrowNodesMax: body.borrow_max_nodes }),
  ...(body.gpu_fractions !== undefined && { splitsGpus: body.gpu_fractions }),
  ...(body.power_cap_watts !== undefined && { powerWattsMax: body.power_cap_watts }),
  ...(body.storage_bandwidth_cap_mbps !== undefined && { storageMbpsMax: body.storage_bandwidth_cap_mbps }),
  ...(body.dedicated_nodes !== undefined && { dedicatedNodes: body.dedicated_nodes }),
  ...(body.cost_weights !== undefined && { weights: weightsOf(body.cost_weights) }),
});

const weightsOf = (body: NonNullable<VClusterBody["cost_weights"]>): Partial<CostWeights> => ({
  ...(body.priority !== undefined && { priority: body.priority }),
  ...(body.wait_time !== undefined && { waitTime: body.wait_time }),
  ...(body.fair_share !== undefined && { fairShare: body.fair_share }),
  ...(body.topology !== undefined && { topology: body.topology }),
  ...(body.data_readiness !== undefined && { dataReadiness: body.data_readiness }),
  ...(body.backlog !== undefined && { backlog: body.backlog }),
  ...(body.energy !== undefined && { energy: body.energy }),
  ...(body.checkpoint_efficiency !== undefined && { checkpointEfficiency: body.checkpoint_efficiency }),
  ...(body.conformance !== undefined && { conformance: body.conformance }),
});

/** vClusters. An id such as `tenant/name` is written `tenant--name` or `tenant%2Fname` in a path. */
export const VCLUSTER_ROUTES: readonly Route[] = [
  {
    method: "POST",
    path: "/api/v1/vclusters",
    operation: "vcluster.create",
    summary: "Creates a vCluster of a tenant",
    body: CREATE_VCLUSTER_BODY,
    async handle({ server, call, request }) {
      const body = await CREATE_VCLUSTER_BODY.read(request);
      const wanted = { tenant: body.tenant_id, name: body.name, ...vclusterSettingsOf(body) };
      return created(vclusterJson(await createVCluster(server, call, wanted)));
    },
  },
  {
    method: "GET",
    path: "/api/v1/vclusters",
    operation: "vcluster.read",
    summary: "Lists vClusters",
    query: { tenant: "of this tenant", ...PAGE_QUERY },
    async handle(context) {
      const query = queryOf(context);
      const asked = { filter: query.texts("tenant"), page: query.page() };
      return page(await listVClusters(context.server, context.call, asked), vclusterJson);
    },
  },
  {
    method: "GET",
    path: "/api/v1/vclusters/:id",
    operation: "vcluster.read",
    summary: "Shows a vCluster",
    handle: async (context) =>
      json(vclusterJson(await getVCluster(context.server, context.call, param(context, "id")))),
  },
  {
    method: "PUT",
    path: "/api/v1/vclusters/:id",
    operation: "vcluster.update",
    summary: "Changes what is given of a vCluster",
    body: UPDATE_VCLUSTER_BODY,
    async handle(context) {
      const change = vclusterSettingsOf(await UPDATE_VCLUSTER_BODY.read(context.request));
      const asked = { id: param(context, "id"), change };
      return json(vclusterJson(await updateVCluster(context.server, context.call, asked)));
    },
  },
  {
    method: "GET",
    path: "/api/v1/vclusters/:id/queue",
    operation: "vcluster.read",
    summary: "Lists what waits in a vCluster, in the order in which it is looked at",
    async handle(context) {
      const queue = await getVClusterQueue(context.server, context.call, param(context, "id"));
      return json(queue.allocations.map(listedAllocationJson));
    },
  },
];
