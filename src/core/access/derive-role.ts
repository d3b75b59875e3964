/**
 * From the claims of a verified token to a principal: scopes first, then `pact_role`, then
 * `lattice_role`; the first match wins, highest role first. Who calls this has checked the
 * token; nothing here is read from what a caller may choose freely.
 */
import type { NodeId, UserId } from "../domain/ids.ts";
import { nodeId, tenantId, userId } from "../domain/ids.ts";
import type { Principal, Role } from "../domain/principal.ts";

/** The claims of a verified token. */
export type Claims = Readonly<Record<string, unknown>>;

const ROLE_BY_SCOPE: readonly (readonly [scope: string, role: Role])[] = [
  ["admin", "SystemAdmin"],
  ["system:admin", "SystemAdmin"],
  ["tenant:admin", "TenantAdmin"],
  ["operator", "Operator"],
  ["sensitive:claim", "ClaimingUser"],
  ["readonly", "ReadOnly"],
];

const ROLE_BY_CLAIM: readonly (readonly [value: string, role: Role])[] = [
  ["pact-platform-admin", "SystemAdmin"],
  ["system-admin", "SystemAdmin"],
  ["tenant-admin", "TenantAdmin"],
  ["operator", "Operator"],
];

/** Only this system's own claim makes an agent. */
const ROLE_BY_OWN_CLAIM: readonly (readonly [value: string, role: Role])[] = [...ROLE_BY_CLAIM, ["agent", "agent"]];

/** Returns the role that the claims give; User when none does. */
export function deriveRole(claims: Claims): Role {
  return (
    firstMatch(ROLE_BY_SCOPE, [...words(claims.scope), ...words(claims.scopes)]) ??
    firstMatch(ROLE_BY_CLAIM, words(claims.pact_role)) ??
    firstMatch(ROLE_BY_OWN_CLAIM, words(claims.lattice_role)) ??
    "User"
  );
}

/** Returns the principal of a token whose subject is `subject`. The claim named `tenantClaim` holds the tenant. */
export function derivePrincipal(subject: string, claims: Claims, tenantClaim: string): Principal {
  const tenant = claims[tenantClaim];
  const user: UserId = userId(subject);
  const node = nodeOf(subject, claims);
  return {
    user,
    role: deriveRole(claims),
    ...(typeof tenant === "string" && tenant !== "" && { tenant: tenantId(tenant) }),
    ...(node !== undefined && { node }),
  };
}

const AGENT_SUBJECT = "agent-";

/** A `node` claim, or the subject `agent-<node>` that the deploy scripts write, binds a credential to its node. */
function nodeOf(subject: string, claims: Claims): NodeId | undefined {
  if (typeof claims.node === "string" && claims.node !== "") return nodeId(claims.node);
  const named = subject.startsWith(AGENT_SUBJECT) ? subject.slice(AGENT_SUBJECT.length) : "";
  return named === "" ? undefined : nodeId(named);
}

/** Reads a space-separated text or a list of texts. */
function words(claim: unknown): readonly string[] {
  if (typeof claim === "string") return claim.split(" ").filter((word) => word !== "");
  return Array.isArray(claim) ? claim.filter((word) => typeof word === "string") : [];
}

const firstMatch = (table: readonly (readonly [string, Role])[], held: readonly string[]): Role | undefined =>
  table.find(([word]) => held.includes(word))?.[1];
