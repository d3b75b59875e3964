/** Cancelling, by people and by the servers' own enforcement; changing the walltime of what has not ended. */

import { compareNumber } from "../../../base/compare.ts";
import { ok } from "../../../base/result.ts";
import type { Allocation } from "../../domain/allocation.ts";
import { displayId } from "../../domain/allocation.ts";
import { refuse } from "../../domain/errors.ts";
import { holdsNodes, isTerminal } from "../../domain/lifecycle.ts";
import type { TaskGroup } from "../../domain/task-group.ts";
import { isGroupOver } from "../../domain/task-group.ts";
import type { Applying } from "../applying.ts";
import { changeAllocation } from "../applying.ts";
import type { CommandBody, Outcome } from "../commands.ts";
import { findAllocation, findTaskGroup } from "../dependencies.ts";
import { stopAllocation } from "../ending.ts";
import { cancelWaiting } from "../settle.ts";

type Of<K extends CommandBody["kind"]> = Extract<CommandBody, { kind: K }>;

/** Cancels an allocation or a whole task group. Repeating it is harmless. */
export function cancel(ctx: Applying, command: Of<"cancel">): Outcome {
  const a = findAllocation(ctx.state, command.target);
  if (a) {
    if (a.state === "completed" || a.state === "failed") {
      return refuse("ILLEGAL_TRANSITION", `allocation ${displayId(a)} has ${a.state} already`);
    }
    return ok({ kind: "cancelled", count: command.isLate ? cancelLate(ctx, a) : cancelOne(ctx, a) });
  }
  const group = findTaskGroup(ctx.state, command.target);
  if (!group) return refuse("ALLOCATION_NOT_FOUND", `there is no allocation ${command.target}`);
  if (isGroupOver(group) && !group.isCancelled) {
    return refuse("ILLEGAL_TRANSITION", `array ${group.shortId} has ended already`);
  }
  return ok({ kind: "cancelled", count: cancelGroup(ctx, group) });
}

/** Cancels every member of a workflow that has not ended. */
export function cancelDag(ctx: Applying, command: Of<"cancel-dag">): Outcome {
  const dag = ctx.state.tables.dags.get(command.dag);
  if (!dag) return refuse("DAG_NOT_FOUND", `there is no workflow ${command.dag}`);
  let count = 0;
  for (const id of dag.members) {
    const member = findAllocation(ctx.state, id);
    if (member) count += cancelOne(ctx, member);
  }
  return ok({ kind: "cancelled", count });
}

/** Ends an attempt that its agent did not end by itself. */
export function enforceStop(ctx: Applying, command: Of<"stop-allocation">): Outcome {
  const a = findAllocation(ctx.state, command.allocation);
  if (a && a.attempt === command.attempt && holdsNodes(a.state)) stopAllocation(ctx, a, command.reason);
  return ok({ kind: "done" });
}

/** Changes how long an allocation may run in all. */
export function updateWalltime(ctx: Applying, command: Of<"update-walltime">): Outcome {
  const a = findAllocation(ctx.state, command.allocation);
  if (!a) return refuse("ALLOCATION_NOT_FOUND", `there is no allocation ${command.allocation}`);
  if (isTerminal(a.state)) return refuse("ILLEGAL_TRANSITION", `allocation ${displayId(a)} has ${a.state} already`);
  changeAllocation(ctx, a, { walltimeMs: command.walltimeMs });
  return ok({ kind: "done" });
}

/** What has started since keeps running: it was started in time. */
function cancelLate(ctx: Applying, a: Allocation): number {
  const { deadline } = a.spec;
  if (a.state !== "pending" || deadline === undefined) return 0;
  const by = new Date(deadline).toISOString();
  cancelWaiting(ctx, a, `cancelled: it cannot have ended by its deadline ${by} any more`);
  return 1;
}

function cancelOne(ctx: Applying, a: Allocation): number {
  if (isTerminal(a.state)) return 0;
  if (holdsNodes(a.state)) stopAllocation(ctx, a, "cancelled");
  else cancelWaiting(ctx, a, `cancelled by ${ctx.by}`);
  return 1;
}

function cancelGroup(ctx: Applying, group: TaskGroup): number {
  let count = group.isCancelled ? 0 : group.total - group.born;
  cancelWaiting(ctx, group, "");
  const tasks = [...(ctx.state.indexes.tasks.get(group.id) ?? [])].sort(([a], [b]) => compareNumber(a, b));
  for (const [, id] of tasks) {
    const task = findAllocation(ctx.state, id);
    if (task) count += cancelOne(ctx, task);
  }
  return count;
}
