/**
 * What follows from a change: tasks are counted and born, names that only one may hold
 * pass on, and those that waited are set free or cancelled. Works off the agenda until
 * it is empty, so that chains of any length need no recursion.
 */
import { compareNumber } from "../../base/compare.ts";
import type { Allocation } from "../domain/allocation.ts";
import type { AllocationId, TaskGroupId } from "../domain/ids.ts";
import { isTerminal } from "../domain/lifecycle.ts";
import type { TaskGroup } from "../domain/task-group.ts";
import type { Applying } from "./applying.ts";
import { changeAllocation, writeTaskGroup } from "./applying.ts";
import type { Verdict } from "./dependencies.ts";
import {
  canTakeMutexes,
  dependentsOf,
  findAllocation,
  findTaskGroup,
  judge,
  mutexWaitersOf,
  outcomeOf,
  waitsForMutexOnly,
} from "./dependencies.ts";
import { mutexKeysOf } from "./index-allocation.ts";
import { bearTasks, moveTask } from "./task-groups.ts";

/** Works off everything that follows from what the handler changed. */
export function settle(ctx: Applying): void {
  for (let i = 0; i < ctx.agenda.length; i++) {
    const item = ctx.agenda[i];
    if (item?.kind === "task-moved") moveTask(ctx, item);
    else if (item?.kind === "ended") onEnded(ctx, item.id);
  }
}

function onEnded(ctx: Applying, id: AllocationId | TaskGroupId): void {
  for (const dependent of dependentsOf(ctx.state, id)) reconsider(ctx, dependent, id);
  const record = findAllocation(ctx.state, id) ?? findTaskGroup(ctx.state, id);
  for (const key of record ? mutexKeysOf(record) : []) {
    for (const waiter of mutexWaitersOf(ctx.state, key)) takeMutexes(ctx, waiter);
  }
}

/** Gives a record that waits for nothing else the names it asks for, if all are free. */
export function takeMutexes(ctx: Applying, id: AllocationId | TaskGroupId): void {
  const record = findAllocation(ctx.state, id) ?? findTaskGroup(ctx.state, id);
  if (!record || !waitsForMutexOnly(record) || !canTakeMutexes(ctx.state, record)) return;
  setWaitsFor(
    ctx,
    record,
    record.waitsFor.filter((d) => d.condition !== "mutex"),
  );
}

/** Looks again at what a dependent waits for, now that `ended` has ended. */
function reconsider(ctx: Applying, id: AllocationId | TaskGroupId, ended: AllocationId | TaskGroupId): void {
  const record = findAllocation(ctx.state, id) ?? findTaskGroup(ctx.state, id);
  if (!record) return;
  const isGroup = "ranges" in record;
  const waitsFor = [];
  for (const dependency of record.waitsFor) {
    const verdict: Verdict =
      dependency.on !== ended || (isGroup && dependency.condition === "corresponding")
        ? "waiting"
        : judge(dependency.condition, outcomeOf(ctx.state, ended) ?? "cancelled");
    if (verdict === "never") {
      giveUp(ctx, record, ended);
      return;
    }
    if (verdict === "waiting") waitsFor.push(dependency);
  }
  if (waitsFor.length < record.waitsFor.length) setWaitsFor(ctx, record, waitsFor);
  if (isGroup) cancelOrphans(ctx, record);
  takeMutexes(ctx, id);
}

function setWaitsFor(ctx: Applying, record: Allocation | TaskGroup, waitsFor: Allocation["waitsFor"]): void {
  if ("ranges" in record) {
    writeTaskGroup(ctx, record, { ...record, waitsFor });
    bearTasks(ctx, record.id);
  } else {
    changeAllocation(ctx, record, { waitsFor });
  }
}

/** Tasks that correspond to tasks which were never born, and never will be, cannot run. */
function cancelOrphans(ctx: Applying, group: TaskGroup): void {
  const tasks = [...(ctx.state.indexes.tasks.get(group.id) ?? [])].sort(([a], [b]) => compareNumber(a, b));
  for (const [, id] of tasks) {
    const task = findAllocation(ctx.state, id);
    const isOrphan = task?.waitsFor.some((d) => d.on !== undefined && !findAllocation(ctx.state, d.on));
    if (task?.state === "pending" && isOrphan) {
      giveUp(ctx, task, task.waitsFor[0]?.on ?? task.id);
    }
  }
}

/** Cancels what can no longer run, saying because of what. */
function giveUp(ctx: Applying, record: Allocation | TaskGroup, because: AllocationId | TaskGroupId): void {
  const upstream = findAllocation(ctx.state, because) ?? findTaskGroup(ctx.state, because);
  const outcome = outcomeOf(ctx.state, because) ?? "cancelled";
  const name = upstream ? `${upstream.shortId}` : because;
  cancelWaiting(ctx, record, `its dependency cannot be satisfied: ${name} ended as ${outcome}`);
}

/** Cancels an allocation or group that holds no nodes. */
export function cancelWaiting(ctx: Applying, record: Allocation | TaskGroup, message: string): void {
  if ("ranges" in record) {
    writeTaskGroup(ctx, record, { ...record, isCancelled: true, waitsFor: [] });
  } else if (!isTerminal(record.state)) {
    changeAllocation(ctx, record, { state: "cancelled", endedAt: ctx.at, message, waitsFor: [] });
  }
}
