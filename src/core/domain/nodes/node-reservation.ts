/**
 * A reservation of an administrator: from one time until another, some nodes are for
 * somebody, or for nobody while they are maintained. Work of others may use them before,
 * as long as it must have ended by then.
 */
import type { LogIndex, Millis } from "../../../base/brand.ts";
import type { NodeId, TenantId, UserId } from "../ids.ts";
import type { Node } from "../node.ts";

/** What is reserved, when, and for whom. */
export interface NodeReservation {
  /** Its id. */
  readonly name: string;
  readonly version: LogIndex;
  readonly from: Millis;
  readonly until: Millis;
  /** These nodes, and those that have all of the features; all nodes when neither is given. */
  readonly nodes: readonly NodeId[];
  readonly features: readonly string[];
  /** For the users of this tenant, and these users; for nobody when neither is given. */
  readonly tenant?: TenantId;
  readonly users: readonly UserId[];
  readonly reason: string;
  readonly createdBy: UserId;
}

/** Returns whether the node is reserved. */
export function coversNode(
  { nodes, features }: NodeReservation,
  { id, capacity }: { readonly id: NodeId; readonly capacity: Pick<Node["capacity"], "features"> },
): boolean {
  if (nodes.length === 0 && features.length === 0) return true;
  if (nodes.includes(id)) return true;
  return features.length > 0 && features.every((feature) => capacity.features.includes(feature));
}

/** Returns whether work of this tenant and user may use the nodes meanwhile. */
export const admits = (
  { tenant, users }: NodeReservation,
  who: { readonly tenant: TenantId; readonly user: UserId },
): boolean => tenant === who.tenant || users.includes(who.user);

/** Returns whether the reservation is in force at some time from `start` until `end`, which may be infinite. */
export const isDuring = ({ from, until }: NodeReservation, start: number, end: number): boolean =>
  start < until && end > from;
