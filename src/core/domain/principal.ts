/** Who acts. Made from a verified token or certificate by `api/auth`, never from what a caller writes in a header. */
import type { NodeId, TenantId, UserId } from "./ids.ts";

/** Who callers can be. */
export const ROLES = [
  "SystemAdmin",
  "TenantAdmin",
  "Operator",
  "ClaimingUser",
  "ReadOnly",
  "User",
  "agent",
  "server",
] as const;
export type Role = (typeof ROLES)[number];

export interface Principal {
  readonly user: UserId;
  readonly role: Role;
  /** The tenant that the token names; absent when it names none. */
  readonly tenant?: TenantId;
  /** The node an `agent` speaks for; absent when its credential binds it to none. */
  readonly node?: NodeId;
}
