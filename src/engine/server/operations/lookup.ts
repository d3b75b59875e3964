/** Finds what a person's id names, in memory or in the archive. */
import type { Allocation } from "../../../core/domain/allocation.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import type { AllocationId, TaskGroupId } from "../../../core/domain/ids.ts";
import { allocationId, parseIdReference, taskGroupId, taskId } from "../../../core/domain/ids.ts";
import type { TaskGroup } from "../../../core/domain/task-group.ts";
import { findAllocation, findTaskGroup } from "../../../core/state/dependencies.ts";
import type { Server } from "../server.ts";

/** What an id names. */
export type Found =
  | { readonly kind: "allocation"; readonly record: Allocation; readonly isArchived: boolean }
  | { readonly kind: "task-group"; readonly record: TaskGroup; readonly isArchived: boolean };

/** Returns the allocation or task group that `ref` names. @throws ALLOCATION_NOT_FOUND, INVALID_SPEC. */
export function find(server: Server, ref: string): Found {
  const reference = parseIdReference(ref);
  if (!reference) {
    const next = "give its number, ARRAY_INDEX, or at least 6 characters of its UUID";
    throw new LatticeError(fault("INVALID_SPEC", `${JSON.stringify(ref)} is no allocation id`, next));
  }
  const id = reference.kind === "short" ? byShortId(server, reference.value) : undefined;
  const found =
    reference.kind === "short"
      ? id && findById(server, id)
      : reference.kind === "task"
        ? findTask(server, reference.group, reference.index)
        : findByPrefix(server, reference.value);
  if (!found) throw new LatticeError(fault("ALLOCATION_NOT_FOUND", `there is no allocation ${ref}`));
  return found;
}

/** Returns the allocation that `ref` names. @throws ILLEGAL_TRANSITION for a whole array. */
export function findOne(server: Server, ref: string): Allocation {
  const found = find(server, ref);
  if (found.kind === "allocation") return found.record;
  const { shortId } = found.record;
  throw new LatticeError(
    fault("INVALID_SPEC", `${ref} is an array of ${found.record.total} tasks`, `name one task, such as ${shortId}_0`),
  );
}

/** Returns the record with exactly this id. */
export function findById(server: Server, id: string): Found | undefined {
  const { state, mirror } = server.replica;
  const allocation = findAllocation(state, id);
  if (allocation) return { kind: "allocation", record: allocation, isArchived: false };
  const group = findTaskGroup(state, id);
  if (group) return { kind: "task-group", record: group, isArchived: false };
  const archived = mirror.find("allocations", id);
  if (archived) return { kind: "allocation", record: JSON.parse(archived), isArchived: true };
  const archivedGroup = mirror.find("taskGroups", id);
  return archivedGroup ? { kind: "task-group", record: JSON.parse(archivedGroup), isArchived: true } : undefined;
}

function byShortId(server: Server, value: number): AllocationId | TaskGroupId | undefined {
  const live = server.replica.state.indexes.byShortId.get(value);
  if (live !== undefined) return live;
  const row = server.replica.mirror.findByShortId(value);
  return row && (row.table === "taskGroups" ? taskGroupId(row.id) : allocationId(row.id));
}

function findTask(server: Server, group: number, index: number): Found | undefined {
  const id = byShortId(server, group);
  return id && findById(server, taskId(taskGroupId(id), index));
}

function findByPrefix(server: Server, prefix: string): Found | undefined {
  const exact = prefix.length === 36 ? findById(server, prefix) : undefined;
  if (exact) return exact;
  const { tables } = server.replica.state;
  const matches = new Set<string>();
  for (const table of [tables.allocations, tables.taskGroups]) {
    for (const id of table.keys()) if (id.startsWith(prefix)) matches.add(id);
  }
  for (const row of server.replica.mirror.findByPrefix(prefix, 2)) {
    if (row.table === "allocations" || row.table === "taskGroups") matches.add(row.id);
  }
  if (matches.size > 1) {
    const some = [...matches].slice(0, 3).join(", ");
    throw new LatticeError(
      fault("INVALID_SPEC", `${prefix} names several allocations: ${some}`, "give more of the id"),
    );
  }
  const [only] = matches;
  return only === undefined ? undefined : findById(server, only);
}
