/** Housekeeping by deterministic command: ended records leave memory, old idempotency keys are forgotten. */
import { addHash } from "../../../base/hash.ts";
import { ok } from "../../../base/result.ts";
import type { AllocationId, DagId, TaskGroupId } from "../../domain/ids.ts";
import { dagId } from "../../domain/ids.ts";
import { isTerminal } from "../../domain/lifecycle.ts";
import { isGroupOver } from "../../domain/task-group.ts";
import type { Applying } from "../applying.ts";
import { writeMeta } from "../applying.ts";
import type { CommandBody, Outcome } from "../commands.ts";
import { findAllocation, findTaskGroup } from "../dependencies.ts";
import { forgetAllocation } from "../index-allocation.ts";
import type { State } from "../state.ts";
import { metaOf } from "../state.ts";

type Of<K extends CommandBody["kind"]> = Extract<CommandBody, { kind: K }>;

/** Moves records to the archive. Those that something still refers to stay. */
export function archive(ctx: Applying, command: Of<"archive">): Outcome {
  let { archivedCount, archivedHash } = metaOf(ctx.state);
  for (const id of command.ids) {
    const hash = archiveOne(ctx.state, id);
    if (!hash) continue;
    archivedCount += 1;
    archivedHash = addHash(archivedHash, hash);
  }
  writeMeta(ctx, { archivedCount, archivedHash });
  return ok({ kind: "done" });
}

function archiveOne(state: State, id: AllocationId | TaskGroupId | DagId) {
  const { tables, indexes } = state;
  const a = findAllocation(state, id);
  if (a) {
    if (!isArchivable(state, a.id)) return undefined;
    forgetAllocation(state, a);
    return tables.allocations.archive(a.id);
  }
  const group = findTaskGroup(state, id);
  if (group) {
    const isReferred = indexes.dependents.has(group.id) || (indexes.tasks.get(group.id)?.size ?? 0) > 0;
    if (!isGroupOver(group) || isReferred) return undefined;
    indexes.byShortId.delete(group.shortId);
    indexes.tasks.delete(group.id);
    return tables.taskGroups.archive(group.id);
  }
  const dag = tables.dags.get(dagId(id));
  if (!dag || dag.members.some((m) => tables.allocations.has(m))) return undefined;
  return tables.dags.archive(dag.id);
}

/** Returns whether an allocation has ended and nothing in memory still needs its outcome. */
export function isArchivable(state: State, id: AllocationId): boolean {
  const a = findAllocation(state, id);
  if (!a || !isTerminal(a.state) || state.indexes.dependents.has(id)) return false;
  return !(a.task && state.indexes.dependents.has(a.task.group));
}

/** Drops idempotency keys older than the time given. */
export function forgetIdempotency(ctx: Applying, command: Of<"forget-idempotency">): Outcome {
  const { idempotency } = ctx.state.tables;
  const old = [...idempotency.entries()].filter(([, remembered]) => remembered.at < command.before);
  for (const [key] of old) idempotency.delete(key);
  return ok({ kind: "done" });
}
