/**
 * A server with tenants, people and things, on which every face is tried: what belongs to
 * the caller, to a colleague of the same tenant, and to a stranger of another one.
 */

import { createApi } from "../../src/api/create-api.ts";
import { ACCESS, AGENT_OPERATIONS, type Operation } from "../../src/core/access/operations.ts";
import { tenantId, userId } from "../../src/core/domain/ids.ts";
import type { Role } from "../../src/core/domain/principal.ts";
import { claimNode } from "../../src/engine/server/operations/nodes.ts";
import { submit } from "../../src/engine/server/operations/submit-allocation.ts";
import { createTenant } from "../../src/engine/server/operations/tenants.ts";
import { createVCluster } from "../../src/engine/server/operations/vclusters.ts";
import type { Server } from "../../src/engine/server/server.ts";
import { hmacVerifier } from "../../src/io/oidc/hmac-verifier.ts";
import { aCall, addNode, startTestServer } from "../fixtures/test-server.ts";
import { aToken, SECRET } from "../fixtures/tokens.ts";

/** Whose a thing is, as seen by the caller. */
export const RELATIONS = ["own", "colleague", "foreign"] as const;
export type Relation = (typeof RELATIONS)[number];

/** By what a right to a thing is decided: its owner and tenant, one of the two, the node it speaks for, or the role alone. */
export type Target = "owned" | "tenant" | "user" | "node" | "role";

/** The names of the things of each relation. */
export interface Things {
  readonly allocation: string;
  readonly dag: string;
  readonly user: string;
  readonly tenant: string;
  readonly vcluster: string;
  /** For an agent, its own node or another one. */
  readonly node: string;
  /** A node that its owner has claimed, with work on it that keeps it from being released. */
  readonly claimed: string;
}

/** The caller is ann of physics; her node, when she is an agent, is n-own. */
const OWNERS: Readonly<Record<Relation, { readonly user: string; readonly tenant: string; readonly node: string }>> = {
  own: { user: "ann", tenant: "physics", node: "n-own" },
  colleague: { user: "bob", tenant: "physics", node: "n-other" },
  foreign: { user: "eve", tenant: "law", node: "n-other" },
};

const CLAIMS: Readonly<Record<Exclude<Role, "server">, Readonly<Record<string, string>>>> = {
  SystemAdmin: { scope: "admin" },
  TenantAdmin: { scope: "tenant:admin" },
  Operator: { scope: "operator" },
  ClaimingUser: { scope: "sensitive:claim" },
  ReadOnly: { scope: "readonly" },
  User: {},
  agent: { lattice_role: "agent", node: "n-own" },
};

export const WALKED_ROLES = [
  "SystemAdmin",
  "TenantAdmin",
  "Operator",
  "ClaimingUser",
  "ReadOnly",
  "User",
  "agent",
] as const;
export type WalkedRole = (typeof WALKED_ROLES)[number];

/** What the access table says, read by hand and not by the code under test. */
export function isAllowed(role: WalkedRole, operation: Operation, of: { target: Target; relation: Relation }): boolean {
  if (role === "SystemAdmin") return true;
  if (role === "agent") {
    if (!AGENT_OPERATIONS.includes(operation)) return false;
    return of.target !== "node" || of.relation === "own";
  }
  const reach = ACCESS[operation][role];
  if (reach === "none") return false;
  if (reach === "all" || of.target === "role" || of.target === "node") return true;
  if (reach === "own") return of.relation === "own" && of.target !== "tenant";
  return of.relation !== "foreign" || of.target === "user";
}

/** The world, running. */
export async function startWorld() {
  const { server, stop } = await startTestServer();
  await addNode(server, "n1");
  const things: Record<string, Things> = {};
  for (const tenant of ["physics", "law"]) {
    await createTenant(server, aCall(), { name: tenant });
    await createVCluster(server, aCall(), { tenant, name: "batch" });
  }
  for (const relation of RELATIONS) things[relation] = await thingsOf(server, relation);
  const sensitive = await thingsOf(server, "colleague", true);
  const api = createApi({ server, auth: { verifier: hmacVerifier(SECRET) } });
  const tokens: Record<string, string> = {};
  for (const role of WALKED_ROLES) {
    tokens[role] = await aToken("ann", { claims: { tenant: "physics", ...CLAIMS[role] } });
  }
  return { server, api, stop, tokens, things, sensitive };
}

async function thingsOf(server: Server, relation: Relation, isSensitive = false): Promise<Things> {
  const { user, tenant, node } = OWNERS[relation];
  const role = isSensitive ? "ClaimingUser" : "User";
  const call = aCall({ user: userId(user), role, tenant: tenantId(tenant) });
  const request = { tenant, entrypoint: "true", isSensitive };
  const single = await submit(server, call, { kind: "single", request });
  const dag = await submit(server, call, { kind: "dag", requests: [{ ...request, name: "a" }] });
  return {
    allocation: single.allocations[0]?.id ?? "",
    dag: dag.dag ?? "",
    user,
    tenant,
    vcluster: `${tenant}/batch`,
    node,
    claimed: isSensitive ? "" : await claimedNode(server, relation),
  };
}

async function claimedNode(server: Server, relation: Relation): Promise<string> {
  const { user, tenant } = OWNERS[relation];
  const name = `claimed-${relation}`;
  const call = aCall({ user: userId(user), role: "ClaimingUser", tenant: tenantId(tenant) });
  const node = await addNode(server, name, { features: [name] });
  await claimNode(server, call, name);
  await submit(server, call, { kind: "single", request: { tenant, entrypoint: "true", features: [name] } });
  while (!server.replica.state.indexes.nodeLoad.get(node)?.claims.size) await Bun.sleep(1);
  return name;
}
