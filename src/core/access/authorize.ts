/** The one place where the access table is read. Every operation calls it, whatever protocol it came by. */
import type { Fault } from "../domain/errors.ts";
import { fault } from "../domain/errors.ts";
import type { NodeId, TenantId, UserId } from "../domain/ids.ts";
import type { Principal } from "../domain/principal.ts";
import type { Operation, Reach } from "./operations.ts";
import { ACCESS, AGENT_OPERATIONS, TENANTLESS_OPERATIONS } from "./operations.ts";

/** What the operation is done to. */
export interface Resource {
  readonly owner?: UserId;
  readonly tenant?: TenantId;
  readonly node?: NodeId;
  /** By which an allocation or task group is told apart; nothing is decided by it. */
  readonly allocation?: string;
  /** Seen by its owner and the system's administrators only. */
  readonly isSensitive?: boolean;
}

/** Returns FORBIDDEN with the reason, or undefined when the principal may do it. */
export function authorize(principal: Principal, operation: Operation, resource: Resource = {}): Fault | undefined {
  if (principal.role === "SystemAdmin") return undefined;
  if (operation === "agent.connect" && isOtherNode(principal, resource)) {
    return fault("FORBIDDEN", `the credential of node ${principal.node} does not speak for node ${resource.node}`);
  }
  if (principal.role === "agent" || principal.role === "server") {
    if (AGENT_OPERATIONS.includes(operation)) return undefined;
    return fault("FORBIDDEN", `role ${principal.role} may not do ${operation}`);
  }
  const reach: Reach = ACCESS[operation][principal.role];
  if (reach === "none") return fault("FORBIDDEN", `role ${principal.role} may not do ${operation}`);
  if (resource.owner !== undefined && resource.owner === principal.user) return undefined;
  if (resource.isSensitive && resource.owner !== undefined) {
    return fault("FORBIDDEN", `a sensitive allocation belongs to ${resource.owner} alone`);
  }
  if (reach === "all") return undefined;
  if (reach === "own") {
    const owner = resource.owner ?? "someone else";
    return fault("FORBIDDEN", `${operation} of what belongs to ${owner} needs its owner or an administrator`);
  }
  return authorizeTenant(principal, operation, resource);
}

/** A credential that names a node speaks for that node alone, whatever its role. */
const isOtherNode = (principal: Principal, resource: Resource): boolean =>
  principal.node !== undefined && resource.node !== undefined && principal.node !== resource.node;

function authorizeTenant(principal: Principal, operation: Operation, resource: Resource): Fault | undefined {
  if (principal.tenant === undefined) {
    if (TENANTLESS_OPERATIONS.includes(operation)) return undefined;
    return fault("FORBIDDEN", `${operation} needs a token that names its tenant`);
  }
  if (resource.tenant === undefined || resource.tenant === principal.tenant) return undefined;
  return fault(
    "FORBIDDEN",
    `${operation} in tenant ${resource.tenant} is not for a member of tenant ${principal.tenant}`,
  );
}
