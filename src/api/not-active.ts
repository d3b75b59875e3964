/**
 * What the contract names and this build does not do: the caller is authorized first, then
 * told so. Never a made-up success.
 */
import type { Operation } from "../core/access/operations.ts";
import { fault, LatticeError } from "../core/domain/errors.ts";
import { tenantId, type UserId, userId } from "../core/domain/ids.ts";
import type { Call } from "../engine/server/call.ts";
import { demand, resourceOf } from "../engine/server/operations/access.ts";
import { getAllocation } from "../engine/server/operations/read-allocations.ts";
import type { Server } from "../engine/server/server.ts";

/** What the caller wanted, and of what. */
export interface InactiveTarget {
  readonly operation: Operation;
  /** Id of the allocation that it is done to. */
  readonly allocation?: string;
  /** Whose it is, where it is not an allocation's; the caller's own when neither is given. */
  readonly owner?: string;
  readonly tenant?: string;
}

/** Always throws: FORBIDDEN, ALLOCATION_NOT_FOUND or NOT_SUPPORTED. */
export async function refuseInactive(server: Server, call: Call, target: InactiveTarget): Promise<never> {
  demand(call, target.operation, await resource(server, call, target));
  throw new LatticeError(fault("NOT_SUPPORTED", `${target.operation} is not active in this build`));
}

async function resource(server: Server, call: Call, { allocation, owner, tenant }: InactiveTarget) {
  if (allocation !== undefined && allocation !== "") {
    const detail = await getAllocation(server, call, allocation);
    return resourceOf(detail.kind === "allocation" ? detail.allocation : detail.group);
  }
  const named: UserId | undefined = owner === undefined || owner === "" ? undefined : userId(owner);
  if (tenant !== undefined && tenant !== "") return { tenant: tenantId(tenant), ...(named && { owner: named }) };
  return { owner: named ?? call.principal.user };
}
