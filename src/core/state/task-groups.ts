/**
 * Arrays: tasks are born as allocations when they may run, a window of them at a time.
 * Invariant INV-T1: pending + running ≤ concurrentMax, when the group has one.
 */
import type { Allocation, Dependency } from "../domain/allocation.ts";
import type { TaskGroupId } from "../domain/ids.ts";
import { taskId } from "../domain/ids.ts";
import type { AllocationState } from "../domain/lifecycle.ts";
import { isTerminal } from "../domain/lifecycle.ts";
import { LIMITS } from "../domain/limits.ts";
import type { TaskCounts, TaskGroup } from "../domain/task-group.ts";
import { hasIndex, indexAt } from "../domain/task-group.ts";
import type { Applying } from "./applying.ts";
import { createAllocation, takeShortId, writeTaskGroup } from "./applying.ts";
import { findAllocation, findTaskGroup, groupOutcome, judge } from "./dependencies.ts";

/** Returns which count an allocation in this state belongs to. */
export function countOf(state: AllocationState): keyof TaskCounts {
  if (state === "pending" || state === "completed" || state === "failed" || state === "cancelled") return state;
  return "running";
}

/** Moves one task from one count to another and lets others be born. */
export function moveTask(
  ctx: Applying,
  move: { readonly group: TaskGroupId; readonly from: AllocationState; readonly to: AllocationState },
): void {
  const { group: id, from, to } = move;
  const group = ctx.state.tables.taskGroups.get(id);
  if (!group) return;
  const source = countOf(from);
  const target = countOf(to);
  if (source !== target) {
    const counts = { ...group.counts, [source]: group.counts[source] - 1 };
    writeTaskGroup(ctx, group, { ...group, counts: { ...counts, [target]: counts[target] + 1 } });
  }
  bearTasks(ctx, id);
}

/** Creates as many tasks as the window and the group's own limit allow. */
export function bearTasks(ctx: Applying, id: TaskGroupId): void {
  const group = ctx.state.tables.taskGroups.get(id);
  if (!group || group.isCancelled || group.waitsFor.some((d) => d.condition !== "corresponding")) return;
  const { pending, running } = group.counts;
  const window = LIMITS.arrayPendingWindow - pending;
  const room = group.concurrentMax > 0 ? Math.min(window, group.concurrentMax - pending - running) : window;
  const count = Math.min(room, group.total - group.born);
  if (count <= 0) return;
  const born: Allocation[] = [];
  for (let n = group.born; n < group.born + count; n++) {
    const index = indexAt(group.ranges, n);
    if (index !== undefined) born.push(newTask(ctx, group, index));
  }
  const cancelled = born.filter((task) => isTerminal(task.state)).length;
  const counts = {
    ...group.counts,
    pending: pending + born.length - cancelled,
    cancelled: group.counts.cancelled + cancelled,
  };
  writeTaskGroup(ctx, group, { ...group, born: group.born + born.length, counts });
  for (const task of born) createAllocation(ctx, task);
  if (cancelled > 0) bearTasks(ctx, id);
}

function newTask(ctx: Applying, group: TaskGroup, index: number): Allocation {
  const fate = correspondingFate(ctx, group, index);
  return {
    id: taskId(group.id, index),
    shortId: takeShortId(ctx),
    version: ctx.index,
    user: group.user,
    spec: { ...group.spec, dependsOn: [] },
    state: fate === "never" ? "cancelled" : "pending",
    message: fate === "never" ? "the corresponding task did not succeed" : "",
    submittedAt: group.submittedAt,
    ...(fate === "never" && { endedAt: ctx.at }),
    attempt: 1,
    requeueCount: 0,
    walltimeMs: group.spec.walltimeMs,
    ...(group.spec.begin !== undefined && { notBefore: group.spec.begin }),
    parts: [],
    task: { group: group.id, groupShortId: group.shortId, index },
    waitsFor: fate === "never" ? [] : fate,
  };
}

/** What task `index` waits for in the groups that its own corresponds to. */
function correspondingFate(ctx: Applying, group: TaskGroup, index: number): readonly Dependency[] | "never" {
  const waitsFor: Dependency[] = [];
  for (const { condition, on } of group.waitsFor) {
    if (condition !== "corresponding" || on === undefined) continue;
    const upstream = findTaskGroup(ctx.state, on);
    if (!upstream || !hasIndex(upstream.ranges, index)) continue;
    const counterpart = taskId(upstream.id, index);
    const task = findAllocation(ctx.state, counterpart);
    const outcome = task?.state ?? (isTerminal(groupOutcome(upstream)) ? "cancelled" : "pending");
    const verdict = judge("success", outcome);
    if (verdict === "never") return "never";
    if (verdict === "waiting") waitsFor.push({ condition: "success", on: counterpart });
  }
  return waitsFor;
}
