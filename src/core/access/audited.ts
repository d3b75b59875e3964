/**
 * THE table of which operations are audited. What is audited is an entry, signed and
 * committed, before the operation happens or together with it; what the access table denies
 * is an entry too, whatever the operation. docs/reference/access.md is generated from it.
 */
import type { Principal } from "../domain/principal.ts";
import type { Resource } from "./authorize.ts";
import type { Operation } from "./operations.ts";

/** `foreign`: where the thing is sensitive, or not the caller's own. */
export type Auditing = "always" | "foreign" | "never";

/** By operation. */
export const AUDITED = {
  "allocation.submit": "foreign",
  "allocation.read": "never",
  "allocation.watch": "never",
  "allocation.logs": "foreign",
  "allocation.cancel": "foreign",
  "allocation.update": "foreign",
  "allocation.launch": "foreign",
  "allocation.attach": "foreign",
  "allocation.checkpoint": "foreign",
  "allocation.metrics": "never",
  "dag.read": "never",
  "dag.cancel": "foreign",
  "session.read": "never",
  "session.create": "foreign",
  "session.delete": "foreign",
  "node.read": "never",
  "node.drain": "always",
  "node.undrain": "always",
  "node.disable": "always",
  "node.enable": "always",
  "node.admit": "always",
  "node.claim": "always",
  "node.release": "always",
  "tenant.read": "never",
  "tenant.create": "always",
  "tenant.update": "always",
  "vcluster.read": "never",
  "vcluster.create": "always",
  "vcluster.update": "always",
  "reservation.read": "never",
  "reservation.create": "always",
  "reservation.delete": "always",
  "usage.read": "never",
  "service.read": "never",
  "audit.read": "never",
  "audit.verify": "never",
  "audit.archive": "always",
  "self.read": "never",
  "raft.read": "never",
  "raft.change": "always",
  // Must work without a quorum, and writes to the configured location only.
  "backup.manage": "never",
  "backup.restore": "always",
  "agent.connect": "never",
} as const satisfies Record<Operation, Auditing>;

/** Returns whether the caller's operation on the resource is audited. */
export function isAudited(operation: Operation, principal: Principal, resource: Resource): boolean {
  const auditing: Auditing = AUDITED[operation];
  if (auditing !== "foreign") return auditing === "always";
  return resource.isSensitive === true || (resource.owner !== undefined && resource.owner !== principal.user);
}
