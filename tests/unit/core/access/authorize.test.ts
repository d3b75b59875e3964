/** Shows who may do what: own, tenant and foreign objects for each reach, sensitive ones, tokens without a tenant, and nodes. */
import { expect, test } from "bun:test";
import { authorize } from "../../../../src/core/access/authorize.ts";
import { ACCESS, AGENT_OPERATIONS, type Operation } from "../../../../src/core/access/operations.ts";
import { nodeId, tenantId, userId } from "../../../../src/core/domain/ids.ts";
import type { Principal, Role } from "../../../../src/core/domain/principal.ts";

const ANN = userId("ann");
const PHYSICS = tenantId("physics");
const OPERATIONS = Object.keys(ACCESS).filter((name): name is Operation => name in ACCESS);

const as = (role: Role, fields: Partial<Principal> = {}): Principal => ({
  user: ANN,
  role,
  tenant: PHYSICS,
  ...fields,
});
const MINE = { owner: ANN, tenant: PHYSICS };
const COLLEAGUES = { owner: userId("bob"), tenant: PHYSICS };
const STRANGERS = { owner: userId("eve"), tenant: tenantId("law") };

const may = (principal: Principal, operation: Operation, resource = {}) =>
  authorize(principal, operation, resource) === undefined;

test("a system administrator may do everything to everything", () => {
  for (const operation of OPERATIONS) expect(may(as("SystemAdmin"), operation, STRANGERS)).toBe(true);
});

test("reach own stops at the caller's own, tenant at the tenant, all nowhere, none at once", () => {
  expect([MINE, COLLEAGUES, STRANGERS].map((of) => may(as("User"), "allocation.cancel", of))).toEqual([
    true,
    false,
    false,
  ]);
  expect([MINE, COLLEAGUES, STRANGERS].map((of) => may(as("User"), "allocation.read", of))).toEqual([
    true,
    true,
    false,
  ]);
  expect([MINE, COLLEAGUES, STRANGERS].map((of) => may(as("User"), "node.read", of))).toEqual([true, true, true]);
  expect([MINE, COLLEAGUES, STRANGERS].map((of) => may(as("ReadOnly"), "allocation.cancel", of))).toEqual([
    false,
    false,
    false,
  ]);
});

test("a tenant's administrator acts in that tenant and in no other", () => {
  for (const operation of ["allocation.cancel", "tenant.update", "vcluster.create", "audit.read"] as const) {
    expect(may(as("TenantAdmin"), operation, { tenant: PHYSICS })).toBe(true);
    expect(may(as("TenantAdmin"), operation, STRANGERS)).toBe(false);
  }
});

test("a token that names no tenant looks and submits everywhere, and administers nothing", () => {
  const unnamed: Principal = { user: ANN, role: "TenantAdmin" };
  expect(may(unnamed, "allocation.read", STRANGERS)).toBe(true);
  expect(may(unnamed, "allocation.submit", STRANGERS)).toBe(true);
  for (const operation of [
    "allocation.cancel",
    "dag.cancel",
    "tenant.update",
    "vcluster.update",
    "audit.read",
  ] as const) {
    expect(may(unnamed, operation, STRANGERS)).toBe(false);
  }
  expect(may(unnamed, "allocation.cancel", MINE)).toBe(true);
});

test("what is sensitive is its owner's and the system administrator's alone", () => {
  const sensitive = { ...COLLEAGUES, isSensitive: true };
  for (const role of ["User", "ReadOnly", "Operator", "TenantAdmin", "ClaimingUser"] as const) {
    expect(may(as(role), "allocation.read", sensitive)).toBe(false);
  }
  expect(may(as("User"), "allocation.read", { ...MINE, isSensitive: true })).toBe(true);
  expect(may(as("SystemAdmin"), "allocation.read", sensitive)).toBe(true);
});

test("an agent may do what agents do and nothing else", () => {
  const allowed = OPERATIONS.filter((operation) => may(as("agent"), operation));
  expect(new Set(allowed)).toEqual(new Set(AGENT_OPERATIONS));
});

test("a credential that names a node speaks for no other, be it an agent's or an operator's", () => {
  for (const role of ["agent", "Operator"] as const) {
    const bound = as(role, { node: nodeId("n1") });
    expect(may(bound, "agent.connect", { node: nodeId("n1") })).toBe(true);
    expect(may(bound, "agent.connect", { node: nodeId("n2") })).toBe(false);
  }
  expect(may(as("Operator", { node: nodeId("n1") }), "node.drain", { node: nodeId("n2") })).toBe(true);
});

test("a refusal names the role, the operation and what is missing", () => {
  expect(authorize(as("User"), "node.drain")?.message).toBe("role User may not do node.drain");
  expect(authorize(as("User"), "allocation.cancel", COLLEAGUES)?.message).toContain("bob");
});
