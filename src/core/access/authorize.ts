/** The one place where the access table is read. Every operation calls it, whatever protocol it came by. */
import type { Fault } from "../domain/errors.ts";
import { fault } from "../domain/errors.ts";
import type { NodeId, TenantId, UserId } from "../domain/ids.ts";
import type { Principal } from "../domain/principal.ts";
import type { Operation, Reach } from "./operations.ts";
import { ACCESS, AGENT_OPERATIONS } from "./operations.ts";

/** What the operation is done to. */
export interface Resource {
  readonly owner?: UserId;
  readonly tenant?: TenantId;
  readonly node?: NodeId;
  /** Seen by its owner and the system's administrators only. */
  readonly isSensitive?: boolean;
}

/** Returns FORBIDDEN with the reason, or undefined when the principal may do it. */
export function authorize(principal: Principal, operation: Operation, resource: Resource = {}): Fault | undefined {
  if (principal.role === "SystemAdmin") return undefined;
  if (principal.role === "agent" || principal.role === "server") return authorizeAgent(principal, operation, resource);
  const reach: Reach = ACCESS[operation][principal.role];
  if (reach === "none") {
    return fault("FORBIDDEN", `role ${principal.role} may not do ${operation}`);
  }
  const isOwner = resource.owner !== undefined && resource.owner === principal.user;
  if (resource.isSensitive && resource.owner !== undefined && !isOwner) {
    return fault("FORBIDDEN", `a sensitive allocation belongs to ${resource.owner} alone`);
  }
  if (isOwner || reach === "all") return undefined;
  if (reach === "own") {
    const owner = resource.owner ?? "someone else";
    return fault("FORBIDDEN", `${operation} of what belongs to ${owner} needs its owner or an administrator`);
  }
  return authorizeTenant(principal, operation, resource);
}

/** A token that names no tenant may look and submit across tenants, but administers none. */
function authorizeTenant(principal: Principal, operation: Operation, resource: Resource): Fault | undefined {
  if (principal.tenant === undefined) {
    const administers =
      principal.role === "TenantAdmin" && !operation.startsWith("allocation.") && !/\.read$/.test(operation);
    const changes = operation === "allocation.cancel" || operation === "allocation.update";
    if (administers || (principal.role === "TenantAdmin" && changes)) {
      return fault("FORBIDDEN", `${operation} needs a token that names its tenant`);
    }
    return undefined;
  }
  if (resource.tenant === undefined || resource.tenant === principal.tenant) return undefined;
  return fault(
    "FORBIDDEN",
    `${operation} in tenant ${resource.tenant} is not for a member of tenant ${principal.tenant}`,
  );
}

function authorizeAgent(principal: Principal, operation: Operation, resource: Resource): Fault | undefined {
  if (!AGENT_OPERATIONS.includes(operation)) return fault("FORBIDDEN", `an agent may not do ${operation}`);
  if (principal.node !== undefined && resource.node !== undefined && principal.node !== resource.node) {
    return fault("FORBIDDEN", `the credential of node ${principal.node} does not speak for node ${resource.node}`);
  }
  return undefined;
}
