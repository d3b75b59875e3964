/**
 * Shows that each face obeys the access table: every RPC of the contract and every route is
 * called as every role on a thing of its own, a colleague's and a stranger's. An RPC or a
 * route that this walk does not know fails it.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { DescMethod } from "@bufbuild/protobuf";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { RPC_OPERATIONS } from "../../src/api/connect/rpc-operations.ts";
import type { Route } from "../../src/api/rest/route.ts";
import { ROUTES } from "../../src/api/rest/routes.ts";
import { present } from "../../src/base/assert.ts";
import { AdminService } from "../../src/gen/lattice/v1/admin_pb.ts";
import { AgentService } from "../../src/gen/lattice/v1/agent_pb.ts";
import { AllocationService } from "../../src/gen/lattice/v1/allocations_pb.ts";
import { IdentityService } from "../../src/gen/lattice/v1/identity_pb.ts";
import { NodeService } from "../../src/gen/lattice/v1/nodes_pb.ts";
import {
  isAllowed,
  RELATIONS,
  type Relation,
  startWorld,
  type Target,
  type Things,
  WALKED_ROLES,
  type WalkedRole,
} from "./access-world.ts";

let world: Awaited<ReturnType<typeof startWorld>>;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

const WORK = { entrypoint: "true", name: "a" };
const HELLO = { instanceId: "i", agentVersion: "1", agentAddress: "n:50052", capacity: { cpus: 1 } };

/** A row: by what the right is decided, and a message about the thing. */
type Row = readonly [target: Target, message: (of: Things) => object];

const RPCS: Readonly<Record<string, Row>> = {
  "AllocationService.Submit": ["tenant", ({ tenant }) => ({ single: { tenant, ...WORK } })],
  "AllocationService.Get": ["owned", byAllocation],
  "AllocationService.List": ["role", () => ({})],
  "AllocationService.Cancel": ["owned", byAllocation],
  "AllocationService.Update": ["owned", (of) => ({ ...byAllocation(of), newWalltime: "60s" })],
  "AllocationService.LaunchTasks": ["owned", byAllocation],
  "AllocationService.Watch": ["owned", byAllocation],
  "AllocationService.Checkpoint": ["owned", byAllocation],
  "AllocationService.Attach": ["owned", (of) => ({ start: byAllocation(of) })],
  "AllocationService.StreamLogs": ["owned", byAllocation],
  "AllocationService.QueryMetrics": ["owned", byAllocation],
  "AllocationService.StreamMetrics": ["owned", byAllocation],
  "AllocationService.GetDiagnostics": ["owned", byAllocation],
  "AllocationService.CompareMetrics": ["owned", ({ allocation }) => ({ allocationIds: [allocation] })],
  "AllocationService.GetDag": ["owned", ({ dag }) => ({ dagId: dag })],
  "AllocationService.ListDags": ["role", () => ({})],
  "AllocationService.CancelDag": ["owned", ({ dag }) => ({ dagId: dag })],
  "AllocationService.CreateSession": ["owned", byAllocation],
  "AllocationService.GetSession": ["role", () => ({ sessionId: "s" })],
  "AllocationService.DeleteSession": ["role", () => ({ sessionId: "s" })],
  "AllocationService.Explain": ["owned", byAllocation],
  "NodeService.ListNodes": ["role", () => ({})],
  "NodeService.GetNode": ["role", () => ({ nodeId: "n1" })],
  "NodeService.DrainNode": ["role", () => ({ nodeId: "n1" })],
  "NodeService.UndrainNode": ["role", () => ({ nodeId: "n1" })],
  "NodeService.DisableNode": ["role", () => ({ nodeId: "n1" })],
  "NodeService.EnableNode": ["role", () => ({ nodeId: "n1" })],
  "NodeService.ClaimNode": ["role", () => ({ nodeId: "n1" })],
  "NodeService.ReleaseNode": ["user", ({ claimed }) => ({ nodeId: claimed })],
  "NodeService.RegisterNode": ["node", ({ node }) => ({ nodeId: node })],
  "NodeService.UpdateNodeAddress": ["node", ({ node }) => ({ nodeId: node })],
  "NodeService.Heartbeat": ["node", ({ node }) => ({ nodeId: node })],
  "NodeService.Health": ["role", () => ({})],
  "AdminService.CreateTenant": ["role", () => ({ name: "physics" })],
  "AdminService.UpdateTenant": ["tenant", ({ tenant }) => ({ tenantId: tenant })],
  "AdminService.GetTenant": ["role", ({ tenant }) => ({ tenantId: tenant })],
  "AdminService.ListTenants": ["role", () => ({})],
  "AdminService.CreateVCluster": ["tenant", ({ tenant }) => ({ tenantId: tenant, name: "batch" })],
  "AdminService.UpdateVCluster": ["tenant", ({ vcluster }) => ({ vclusterId: vcluster })],
  "AdminService.GetVCluster": ["role", ({ vcluster }) => ({ vclusterId: vcluster })],
  "AdminService.ListVClusters": ["role", () => ({})],
  "AdminService.GetVClusterQueue": ["role", ({ vcluster }) => ({ vclusterId: vcluster })],
  "AdminService.CreateReservation": ["role", () => ({ name: "repair", endsAt: "2099-01-01T00:00:00Z" })],
  "AdminService.ListReservations": ["role", () => ({})],
  "AdminService.DeleteReservation": ["role", () => ({ name: "none" })],
  "AdminService.GetRaftStatus": ["role", () => ({})],
  "AdminService.AddRaftMember": ["role", () => ({ nodeId: 9, address: "none" })],
  "AdminService.PromoteRaftMember": ["role", () => ({ nodeId: 8 })],
  "AdminService.RemoveRaftMember": ["role", () => ({ nodeId: 8 })],
  "AdminService.TransferRaftLeadership": ["role", () => ({ nodeId: 8 })],
  "AdminService.CreateBackup": ["role", () => ({})],
  "AdminService.BackupVerify": ["role", () => ({})],
  "AdminService.RestoreBackup": ["role", () => ({})],
  "AdminService.ListBackups": ["role", () => ({})],
  "AdminService.QueryAudit": ["tenant", ({ tenant }) => ({ tenantId: tenant })],
  "AdminService.VerifyAudit": ["role", () => ({})],
  "AdminService.ArchiveAudit": ["role", () => ({})],
  "AdminService.ListAuditArchives": ["role", () => ({})],
  "AdminService.GetAccountingUsage": ["tenant", ({ tenant }) => ({ tenantId: tenant })],
  "AdminService.GetTenantUsage": ["tenant", ({ tenant }) => ({ tenantId: tenant })],
  "AdminService.GetUserUsage": ["user", ({ user }) => ({ user })],
  "AdminService.LookupService": ["role", () => ({ name: "s" })],
  "AdminService.ListServices": ["role", () => ({})],
  "IdentityService.CreateJoinToken": ["role", () => ({ nodeId: "n9" })],
  "IdentityService.RenewCertificate": ["role", () => ({})],
  "AgentService.Connect": ["node", ({ node }) => ({ hello: { nodeId: node, ...HELLO } })],
  "AgentService.SendLogs": ["role", () => ({ requestId: "nobody asked" })],
};

function byAllocation({ allocation }: Things) {
  return { allocationId: allocation };
}

const METHODS: readonly DescMethod[] = [
  AllocationService,
  NodeService,
  AdminService,
  IdentityService,
  AgentService,
].flatMap((service) => service.methods);
const nameOf = (method: DescMethod) => `${method.parent.name}.${method.name}`;

test("every RPC of the contract has its row in the table of RPCs and in this walk", () => {
  const names = METHODS.map(nameOf).sort();
  expect(Object.keys(RPC_OPERATIONS).sort()).toEqual(names);
  expect(Object.keys(RPCS).sort()).toEqual(names);
});

/** What answers anybody, by decision. */
const PUBLIC = ["/api/v1/auth/discovery", "/healthz", "/metrics", "/openapi", "/readyz"];

test("nothing answers but the RPCs and routes of this walk, and what is public by decision", () => {
  const rpcs = METHODS.map(({ parent, name }) => `ALL /${parent.typeName}/${name}`);
  const routes = ROUTES.map(({ method, path }) => `${method} ${path}`);
  const answered = world.api.app.routes.map(({ method, path }) => `${method} ${path}`);
  expect(answered.sort()).toEqual([...rpcs, ...routes, ...PUBLIC.map((path) => `GET ${path}`)].sort());
});

test("a face without a token answers no RPC and no route of this walk", async () => {
  const open: string[] = [];
  for (const { method, path } of world.api.app.routes) {
    if (PUBLIC.includes(path)) continue;
    const url = `http://localhost${path.replace(/:\w+/g, "1")}`;
    const [asked, type] = method === "ALL" ? ["POST", "application/grpc-web+json"] : [method, "application/json"];
    const request = new Request(url, { method: asked, headers: { "content-type": type } });
    const response = await world.api.fetch(request);
    const said = `${response.headers.get("grpc-status")} ${await response.text()}`;
    if (!/^16 |grpc-status: 16|UNAUTHENTICATED/.test(said)) open.push(`${method} ${path}: ${said}`);
  }
  expect(open).toEqual([]);
});

async function isRefusedRpc(method: DescMethod, token: string, message: object): Promise<boolean> {
  const isUnary = method.methodKind === "unary";
  const json = new TextEncoder().encode(JSON.stringify(message));
  const request = new Request(`http://localhost/${method.parent.typeName}/${method.name}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": isUnary ? "application/json" : "application/connect+json",
      // Ends the watches that are let in.
      "connect-timeout-ms": "40",
    },
    body: isUnary ? json : encodeEnvelope(0, json),
  });
  const text = await (await world.api.fetch(request)).text();
  expect(text).not.toContain('"code":"internal"');
  expect(text).not.toContain('"code":"unauthenticated"');
  return text.includes('"code":"permission_denied"');
}

test.each(METHODS.map((method) => [nameOf(method), method] as const))(
  "%s obeys the table for every role",
  async (name, method) => {
    const [target, message] = present(RPCS[name], `no row for ${name}`);
    const [, operation] = present(
      Object.entries(RPC_OPERATIONS).find(([rpc]) => rpc === name),
      `no operation for ${name}`,
    );
    await walk(target, operation, (token, things) => isRefusedRpc(method, token, message(things)));
  },
);

/** Calls as every role on a thing of every relation and compares with the table. */
async function walk(
  target: Target,
  operation: Route["operation"],
  isRefused: (token: string, things: Things) => Promise<boolean>,
): Promise<void> {
  const seen: Record<string, boolean> = {};
  const wanted: Record<string, boolean> = {};
  for (const [role, relation] of pairs()) {
    const key = `${role} on ${relation}`;
    wanted[key] = isAllowed(role, operation, { target, relation });
    const token = present(world.tokens[role], role);
    seen[key] = !(await isRefused(token, present(world.things[relation], relation)));
  }
  expect(seen).toEqual(wanted);
}

const pairs = (): readonly (readonly [WalkedRole, Relation])[] =>
  WALKED_ROLES.flatMap((role) => RELATIONS.map((relation) => [role, relation] as const));

interface RouteRow {
  readonly target: Target;
  readonly path: (of: Things) => string;
  readonly body?: (of: Things) => object;
}

const allocation = { target: "owned", path: (of: Things) => of.allocation } as const;
const dag = { target: "owned", path: (of: Things) => of.dag } as const;
const role = { target: "role", path: () => "n1" } as const;
const byMember = { target: "role", path: () => "8" } as const;
const ofTenant = { target: "tenant", path: (of: Things) => of.tenant } as const;
const byQuery = { target: "tenant", path: (of: Things) => `?tenant=${of.tenant}` } as const;
const vcluster = (target: Target) => ({ target, path: (of: Things) => of.vcluster.replace("/", "--") });

/** The path's parameter is replaced by what `path` gives; without a parameter it is appended when it is a query. */
const ROUTE_ROWS: Readonly<Record<string, RouteRow>> = {
  "POST /allocations": { ...byQuery, body: ({ tenant }) => ({ tenant, ...WORK }) },
  "GET /allocations": role,
  "GET /allocations/:id": allocation,
  "PATCH /allocations/:id": { ...allocation, body: () => ({ walltime_seconds: 60 }) },
  "DELETE /allocations/:id": allocation,
  "POST /allocations/:id/cancel": allocation,
  "GET /allocations/:id/explain": allocation,
  "GET /allocations/:id/watch": allocation,
  "GET /allocations/:id/logs": allocation,
  "GET /allocations/:id/logs/stream": allocation,
  "GET /allocations/:id/diagnostics": allocation,
  "GET /allocations/:id/metrics": allocation,
  "GET /allocations/:id/metrics/stream": allocation,
  "GET /watch": role,
  "POST /dags": { ...byQuery, body: ({ tenant }) => ({ allocations: [{ tenant, ...WORK }] }) },
  "GET /dags": role,
  "GET /dags/:id": dag,
  "POST /dags/:id/cancel": dag,
  "GET /nodes": role,
  "GET /nodes/:id": role,
  "POST /nodes/:id/drain": role,
  "POST /nodes/:id/undrain": role,
  "POST /nodes/:id/disable": role,
  "POST /nodes/:id/enable": role,
  "POST /nodes/:id/claim": role,
  "POST /nodes/:id/release": { target: "user", path: (of) => of.claimed },
  "POST /tenants": { ...role, body: () => ({ name: "physics" }) },
  "GET /tenants": role,
  "GET /auth/whoami": role,
  "GET /tenants/:id": { ...ofTenant, target: "role" },
  "PUT /tenants/:id": { ...ofTenant, body: () => ({}) },
  "POST /reservations": { ...role, body: () => ({ name: "repair", ends_at: "2099-01-01T00:00:00Z" }) },
  "GET /reservations": role,
  "DELETE /reservations/:name": role,
  "POST /vclusters": { ...byQuery, body: ({ tenant }) => ({ tenant_id: tenant, name: "batch" }) },
  "GET /vclusters": role,
  "GET /vclusters/:id": vcluster("role"),
  "PUT /vclusters/:id": { ...vcluster("tenant"), body: () => ({}) },
  "GET /vclusters/:id/queue": vcluster("role"),
  "GET /raft/status": role,
  "POST /raft/members": { ...role, body: () => ({ node_id: 9, address: "none" }) },
  "POST /raft/members/:id/promote": byMember,
  "DELETE /raft/members/:id": byMember,
  "POST /raft/transfer": { ...role, body: () => ({ node_id: 8 }) },
  "POST /sessions": role,
  "GET /sessions/:id": role,
  "DELETE /sessions/:id": role,
  "GET /audit": byQuery,
  "GET /audit/archives": byQuery,
  "GET /audit/verify": role,
  "POST /audit/archive": role,
  "GET /tenants/:id/usage": ofTenant,
  "GET /accounting/usage": byQuery,
  "GET /usage": { target: "user", path: (of) => `?user=${of.user}` },
  "GET /services": role,
  "GET /services/:name": role,
  "GET /admin/backup": role,
  "POST /admin/backup": role,
  "GET /admin/backup/verify": role,
  "POST /admin/backup/verify": role,
  "POST /admin/restore": { ...role, body: () => ({ path: "no backup" }) },
};

const shortName = ({ method, path }: Route) => `${method} ${path.replace("/api/v1", "")}`;

test("every route has its row in this walk", () => {
  expect(ROUTES.map(shortName).sort()).toEqual(Object.keys(ROUTE_ROWS).sort());
});

async function isRefusedRoute(route: Route, token: string, of: { things: Things; row: RouteRow }): Promise<boolean> {
  const filled = of.row.path(of.things);
  const path = route.path.replace(/:\w+/, filled) + (filled.startsWith("?") ? filled : "");
  const body = of.row.body?.(of.things);
  const gone = new AbortController();
  const request = new Request(`http://localhost${path}`, {
    method: route.method,
    headers: { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }) },
    body: body ? JSON.stringify(body) : null,
    signal: gone.signal,
  });
  const response = await world.api.fetch(request);
  gone.abort();
  const problem = response.ok ? undefined : await response.json();
  if (response.ok) await response.body?.cancel();
  expect(["INTERNAL", "UNAUTHENTICATED", "ROUTE_NOT_FOUND", "INVALID_BODY"]).not.toContain(problem?.code);
  return problem?.code === "FORBIDDEN";
}

test.each(ROUTES.map((route) => [shortName(route), route] as const))(
  "%s obeys the table for every role",
  async (name, route) => {
    const row = present(ROUTE_ROWS[name], `no row for ${name}`);
    await walk(row.target, route.operation, (token, things) => isRefusedRoute(route, token, { things, row }));
  },
);

test("sensitive work of a colleague is refused to every role but SystemAdmin, by every RPC and route that names it", async () => {
  const refused: string[] = [];
  const expected: string[] = [];
  const things = world.sensitive;
  const roles = WALKED_ROLES.filter((one) => one !== "SystemAdmin");
  for (const one of roles) {
    const token = present(world.tokens[one], one);
    for (const method of METHODS) {
      const [target, message] = present(RPCS[nameOf(method)], nameOf(method));
      if (target !== "owned") continue;
      expected.push(`${one} ${nameOf(method)}`);
      if (await isRefusedRpc(method, token, message(things))) refused.push(`${one} ${nameOf(method)}`);
    }
    for (const route of ROUTES) {
      const row = present(ROUTE_ROWS[shortName(route)], shortName(route));
      if (row.target !== "owned") continue;
      expected.push(`${one} ${shortName(route)}`);
      if (await isRefusedRoute(route, token, { things, row })) refused.push(`${one} ${shortName(route)}`);
    }
  }
  expect(refused).toEqual(expected);
  expect(refused.length).toBeGreaterThan(150);
});
