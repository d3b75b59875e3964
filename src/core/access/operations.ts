/**
 * THE table of who may do what: operation × role. `own` is the caller's own object;
 * `tenant` is any object of the tenant that the caller's token names.
 * docs/reference/access.md is generated from it.
 */
import type { Role } from "../domain/principal.ts";

/** How far a role's right to an operation reaches. */
export type Reach = "all" | "tenant" | "own" | "none";

type Row = Readonly<Record<Exclude<Role, "SystemAdmin" | "agent" | "server">, Reach>>;

type Reaches = readonly [User: Reach, ReadOnly: Reach, Operator: Reach, TenantAdmin: Reach, ClaimingUser: Reach];

const row = (...[User, ReadOnly, Operator, TenantAdmin, ClaimingUser]: Reaches): Row => ({
  User,
  ReadOnly,
  Operator,
  TenantAdmin,
  ClaimingUser,
});

/** SystemAdmin may do everything; agents and servers only what AGENT_OPERATIONS lists. */
export const ACCESS = {
  //                           User      ReadOnly  Operator  TenantAdm ClaimingUser
  "allocation.submit": row("tenant", "none", "tenant", "tenant", "tenant"),
  "allocation.read": row("tenant", "tenant", "tenant", "tenant", "tenant"),
  "allocation.watch": row("tenant", "tenant", "tenant", "tenant", "tenant"),
  "allocation.logs": row("tenant", "tenant", "tenant", "tenant", "tenant"),
  "allocation.cancel": row("own", "none", "own", "tenant", "own"),
  "allocation.update": row("own", "none", "own", "tenant", "own"),
  "allocation.launch": row("own", "none", "own", "tenant", "own"),
  "allocation.attach": row("own", "none", "own", "tenant", "own"),
  "allocation.checkpoint": row("own", "none", "own", "tenant", "own"),
  "allocation.metrics": row("tenant", "tenant", "tenant", "tenant", "tenant"),
  "dag.read": row("tenant", "tenant", "tenant", "tenant", "tenant"),
  "dag.cancel": row("own", "none", "own", "tenant", "own"),
  "session.read": row("tenant", "tenant", "tenant", "tenant", "tenant"),
  "session.create": row("own", "none", "own", "tenant", "own"),
  "session.delete": row("own", "none", "own", "tenant", "own"),
  "node.read": row("all", "all", "all", "all", "all"),
  "node.drain": row("none", "none", "all", "all", "none"),
  "node.undrain": row("none", "none", "all", "none", "none"),
  "node.disable": row("none", "none", "all", "none", "none"),
  "node.enable": row("none", "none", "all", "none", "none"),
  "node.admit": row("none", "none", "all", "none", "none"),
  "node.claim": row("none", "none", "none", "none", "all"),
  "node.release": row("none", "none", "none", "none", "own"),
  "tenant.read": row("all", "all", "all", "all", "all"),
  "tenant.create": row("none", "none", "none", "none", "none"),
  "tenant.update": row("none", "none", "none", "tenant", "none"),
  "vcluster.read": row("all", "all", "all", "all", "all"),
  "vcluster.create": row("none", "none", "none", "tenant", "none"),
  "vcluster.update": row("none", "none", "none", "tenant", "none"),
  "reservation.read": row("all", "all", "all", "all", "all"),
  "reservation.create": row("none", "none", "all", "none", "none"),
  "reservation.delete": row("none", "none", "all", "none", "none"),
  "usage.read": row("own", "tenant", "tenant", "tenant", "own"),
  "service.read": row("tenant", "tenant", "tenant", "tenant", "tenant"),
  "audit.read": row("none", "none", "none", "tenant", "none"),
  "audit.verify": row("none", "none", "none", "none", "none"),
  "audit.archive": row("none", "none", "none", "none", "none"),
  "self.read": row("all", "all", "all", "all", "all"),
  "raft.read": row("none", "all", "all", "all", "none"),
  "raft.change": row("none", "none", "none", "none", "none"),
  "backup.manage": row("none", "none", "none", "none", "none"),
  "backup.restore": row("none", "none", "none", "none", "none"),
  "agent.connect": row("none", "none", "all", "none", "none"),
} as const satisfies Record<string, Row>;

/** What a caller may want to do: a row of the table. */
export type Operation = keyof typeof ACCESS;

/** What a node's own credential is good for. */
export const AGENT_OPERATIONS: readonly Operation[] = ["agent.connect", "node.read", "self.read"];

/** What reaches into every tenant for a caller whose token names none: looking and submitting, never administering. */
export const TENANTLESS_OPERATIONS: readonly Operation[] = [
  "allocation.submit",
  "allocation.read",
  "allocation.watch",
  "allocation.logs",
  "allocation.metrics",
  "dag.read",
  "session.read",
  "service.read",
  "usage.read",
];
