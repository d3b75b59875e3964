/** Asks `core/access` and throws what it answers, so that an operation needs one line for it. */
import type { Resource } from "../../../core/access/authorize.ts";
import { authorize } from "../../../core/access/authorize.ts";
import type { Operation } from "../../../core/access/operations.ts";
import type { Allocation } from "../../../core/domain/allocation.ts";
import { type FaultSubject, LatticeError } from "../../../core/domain/errors.ts";
import type { TaskGroup } from "../../../core/domain/task-group.ts";
import type { AuditedAct } from "../audit/auditor.ts";
import type { Call } from "../call.ts";

/** @throws FORBIDDEN unless the caller may do `operation` to `resource`. */
export function demand(call: Call, operation: Operation, resource?: Resource): void {
  const denied = authorize(call.principal, operation, resource);
  if (denied) throw new LatticeError({ ...denied, about: subjectOf(resource) });
}

const subjectOf = ({ tenant, allocation, node }: Resource = {}): FaultSubject => ({
  ...(tenant !== undefined && { tenant }),
  ...(allocation !== undefined && { allocation }),
  ...(node !== undefined && { node }),
});

/** Returns whether the caller may do `operation` to `resource`. */
export const may = (call: Call, operation: Operation, resource: Resource): boolean =>
  authorize(call.principal, operation, resource) === undefined;

/** Returns what access is decided by, of an allocation or task group. */
export const resourceOf = ({ id, user, spec }: Allocation | TaskGroup): Resource => ({
  allocation: id,
  owner: user,
  tenant: spec.tenant,
  isSensitive: spec.isSensitive,
});

/** Returns what is audited of an operation on an allocation or task group. */
export const actOn = (operation: Operation, record: Allocation | TaskGroup): AuditedAct => ({
  operation,
  target: { tenant: record.spec.tenant, allocation: record.id },
  resource: resourceOf(record),
});
