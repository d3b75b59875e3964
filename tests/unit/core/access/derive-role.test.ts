/** Shows which role, tenant and node the claims of a verified token give: each row of the table, and the order of rows. */
import { expect, test } from "bun:test";
import { type Claims, derivePrincipal, deriveRole } from "../../../../src/core/access/derive-role.ts";
import { nodeId, tenantId, userId } from "../../../../src/core/domain/ids.ts";

test.each([
  ["admin", "SystemAdmin"],
  ["system:admin", "SystemAdmin"],
  ["tenant:admin", "TenantAdmin"],
  ["operator", "Operator"],
  ["sensitive:claim", "ClaimingUser"],
  ["readonly", "ReadOnly"],
  ["openid profile", "User"],
  ["administrator", "User"],
])("scope %s gives %s", (scope, role) => {
  expect(deriveRole({ scope })).toBe(role as never);
  expect(deriveRole({ scopes: scope.split(" ") })).toBe(role as never);
});

test.each([
  ["pact-platform-admin", "SystemAdmin"],
  ["system-admin", "SystemAdmin"],
  ["tenant-admin", "TenantAdmin"],
  ["operator", "Operator"],
])("pact_role and lattice_role %s give %s", (claim, role) => {
  expect(deriveRole({ pact_role: claim })).toBe(role as never);
  expect(deriveRole({ lattice_role: claim })).toBe(role as never);
});

test.each([
  { scope: "Admin ADMIN admin:read xadmin admin, ,admin admin;operator" },
  { scope: "system-admin tenant-admin pact-platform-admin" },
  { scope: "\u0430dmin admin\u200b admin\u0000 admin\toperator\nadmin" },
  { scopes: ["openid admin", ["admin"], { admin: true }] },
  { pact_role: "admin", lattice_role: "system:admin" },
  { pact_role: "SystemAdmin", lattice_role: "system_admin" },
  { role: "system-admin", roles: ["system-admin"], groups: ["admin"], realm_access: { roles: ["admin"] } },
])("a role that is written otherwise than the table has it is none: %j", (claims) => {
  expect(deriveRole(claims)).toBe("User");
});

test("scopes win over pact_role, which wins over lattice_role", () => {
  expect(deriveRole({ scope: "readonly", pact_role: "system-admin" })).toBe("ReadOnly");
  expect(deriveRole({ pact_role: "operator", lattice_role: "system-admin" })).toBe("Operator");
  expect(deriveRole({ scope: "openid", pact_role: "nothing", lattice_role: "tenant-admin" })).toBe("TenantAdmin");
});

test("of several scopes the highest role wins", () => {
  expect(deriveRole({ scope: "readonly operator tenant:admin" })).toBe("TenantAdmin");
});

test("only lattice_role makes an agent", () => {
  expect(deriveRole({ lattice_role: "agent" })).toBe("agent");
  expect(deriveRole({ pact_role: "agent" })).toBe("User");
  expect(deriveRole({ scope: "agent" })).toBe("User");
});

test("no claim makes a server, and claims of the wrong type count for nothing", () => {
  expect(deriveRole({ lattice_role: "server" })).toBe("User");
  expect(deriveRole({ scope: { admin: true }, scopes: [1, null], pact_role: 7 })).toBe("User");
});

const NAMES = { user: "preferred_username", tenant: "tenant" };

function principalOf(subject: string, claims: Claims, names = NAMES) {
  const derived = derivePrincipal(subject, claims, names);
  return derived.ok ? derived.value : derived.error.message;
}

test("the tenant comes from the configured claim", () => {
  const claims = { tenant: "a", org: ["b"] };
  expect(principalOf("ann", claims)).toMatchObject({ tenant: tenantId("a") });
  expect(principalOf("ann", claims, { ...NAMES, tenant: "org" })).toMatchObject({ tenant: tenantId("b") });
  expect(principalOf("ann", { tenant: "" })).toEqual({ user: userId("ann"), role: "User" });
});

test("a tenant that makes no sense is refused, because a token without one reaches further", () => {
  for (const tenant of [5, ["a", "b"], { a: 1 }, "a b", "a\u0000"]) {
    expect(principalOf("ann", { tenant })).toContain("does not name one tenant");
  }
});

test("the login name wins over the subject, and one that makes no sense is refused", () => {
  expect(principalOf("uuid", { preferred_username: "ann" })).toMatchObject({ user: userId("ann") });
  expect(principalOf("uuid", { login: "ann" }, { ...NAMES, user: "login" })).toMatchObject({ user: userId("ann") });
  for (const name of ["", " ann", "a\nb", "a\u202eb", "x".repeat(256), 7, ["ann"]]) {
    expect(principalOf("uuid", { preferred_username: name })).toContain("name of a user");
  }
});

test("a node claim or the subject of a deployed agent binds the credential to its node", () => {
  expect(principalOf("ann", { node: "n7" })).toMatchObject({ node: nodeId("n7") });
  const deployed = principalOf("agent-n8", { scope: "operator" });
  expect(deployed).toEqual({ user: userId("agent-n8"), role: "Operator", node: nodeId("n8") });
  expect(principalOf("agent-", {})).not.toHaveProperty("node");
});
