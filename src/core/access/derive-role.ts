/**
 * From the claims of a verified token to a principal: scopes first, then `pact_role`, then
 * `lattice_role`; the first match wins, highest role first. Who calls this has checked the
 * token; nothing here is read from what a caller may choose freely.
 */
import type { Result } from "../../base/result.ts";
import { ok } from "../../base/result.ts";
import type { Fault } from "../domain/errors.ts";
import { refuse } from "../domain/errors.ts";
import type { NodeId } from "../domain/ids.ts";
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

/** The claims that name whom a token is of. */
export interface ClaimNames {
  /** The login name; a token without it is of its subject. */
  readonly user: string;
  readonly tenant: string;
}

/**
 * Returns the principal of a token whose subject is `subject`. A claim that is there and
 * makes no sense is refused: a token without a tenant reaches further than one with a tenant.
 */
export function derivePrincipal(subject: string, claims: Claims, names: ClaimNames): Result<Principal, Fault> {
  const user = claims[names.user] ?? subject;
  if (!isName(user)) return refuse("UNAUTHENTICATED", "the token is refused: it does not hold the name of a user");
  const tenant = only(claims[names.tenant]);
  if (tenant !== undefined && !isName(tenant)) {
    return refuse("UNAUTHENTICATED", `the token is refused: its claim ${names.tenant} does not name one tenant`);
  }
  const node = nodeOf(subject, claims);
  return ok({
    user: userId(user),
    role: deriveRole(claims),
    ...(tenant !== undefined && { tenant: tenantId(tenant) }),
    ...(node !== undefined && { node }),
  });
}

const NAME = /^[^\s\p{C}]{1,255}$/u;

const isName = (claim: unknown): claim is string => typeof claim === "string" && NAME.test(claim);

/** Returns the member of a list of one, and nothing for what says nothing. */
function only(claim: unknown): unknown {
  const value = Array.isArray(claim) && claim.length === 1 ? claim[0] : claim;
  return value === "" || value === null || (Array.isArray(value) && value.length === 0) ? undefined : value;
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
