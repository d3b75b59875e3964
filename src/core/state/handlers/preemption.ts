/**
 * Preemption: work of a lower class is asked to make room, and what it lets go is kept for
 * the one it was asked for. Everything that the plan relied on is checked again.
 *
 * Invariant INV-P1: whoever makes room is of a lower class than the one it makes room for,
 * or on a node that the vCluster of that one has lent; it is of less than the highest
 * class, not sensitive, and may be run again.
 * Invariant INV-P2: a node is kept for one allocation at most, and given to nobody else.
 */
import type { Result } from "../../../base/result.ts";
import { ok } from "../../../base/result.ts";
import type { Allocation } from "../../domain/allocation.ts";
import { displayId, nodesOf } from "../../domain/allocation.ts";
import type { Fault } from "../../domain/errors.ts";
import { refuse } from "../../domain/errors.ts";
import { isSchedulable } from "../../domain/lifecycle.ts";
import type { Applying } from "../applying.ts";
import { changeAllocation } from "../applying.ts";
import type { CommandBody, Outcome, Preemption } from "../commands.ts";
import { findAllocation } from "../dependencies.ts";
import { checkpointStrategy, isDisplaceable } from "../preemption.ts";
import type { State } from "../state.ts";

/** Has the victims make room and keeps the nodes for the one that waits. */
export function preemptAllocations(
  ctx: Applying,
  { preemption }: Extract<CommandBody, { kind: "preempt-allocations" }>,
): Outcome {
  const checked = check(ctx, preemption);
  if (!checked.ok) return checked;
  const { waiting, victims } = checked.value;
  for (const victim of victims) displace(ctx, victim, { by: waiting, checkpointMs: preemption.checkpointMs });
  const names = victims.map(displayId).join(", ");
  changeAllocation(ctx, waiting, {
    hold: { nodes: preemption.nodes, until: preemption.holdUntil },
    message: `others make room for it: ${names}`,
  });
  return ok({ kind: "done" });
}

/** Gives back the nodes of an allocation that did not start on them in time. */
export function releaseHold(ctx: Applying, command: Extract<CommandBody, { kind: "release-hold" }>): Outcome {
  const a = findAllocation(ctx.state, command.allocation);
  if (a?.hold && a.hold.until <= ctx.at) {
    changeAllocation(ctx, a, { hold: undefined, message: "the nodes that others were to let go did not come free" });
  }
  return ok({ kind: "done" });
}

interface Checked {
  readonly waiting: Allocation;
  readonly victims: readonly Allocation[];
}

function check({ state }: Applying, { allocation, version, nodes, victims }: Preemption): Result<Checked, Fault> {
  const waiting = findAllocation(state, allocation);
  if (!waiting) return refuse("ALLOCATION_NOT_FOUND", `there is no allocation ${allocation}`);
  const isWaiting = waiting.state === "pending" && waiting.waitsFor.length === 0 && waiting.hold === undefined;
  if (waiting.version !== version || !isWaiting) {
    return refuse("VERSION_CONFLICT", `allocation ${allocation} has changed since the plan was made`);
  }
  const wanted = new Set(nodes);
  const taken = nodes.find((node) => !isOpen(state, node));
  if (taken !== undefined) return refuse("NODE_UNSUITABLE", `node ${taken} cannot be kept for ${displayId(waiting)}`);
  const found: Allocation[] = [];
  for (const victim of victims) {
    const a = findAllocation(state, victim.allocation);
    if (a?.attempt !== victim.attempt || !isDisplaceable(a) || !nodesOf(a).some((node) => wanted.has(node))) {
      return refuse("VERSION_CONFLICT", `allocation ${victim.allocation} has changed since the plan was made`);
    }
    if (a.spec.preemptionClass >= waiting.spec.preemptionClass && !owesNodes(state, a, waiting)) {
      return refuse("ILLEGAL_TRANSITION", `allocation ${displayId(a)} is of no lower class than ${displayId(waiting)}`);
    }
    found.push(a);
  }
  return ok({ waiting, victims: found });
}

/** Whether the work is on a node that the vCluster of the other has lent. */
const owesNodes = ({ indexes }: State, a: Allocation, { spec }: Allocation): boolean =>
  a.spec.vcluster !== spec.vcluster && nodesOf(a).some((node) => indexes.dedicated.get(node) === spec.vcluster);

function isOpen({ tables, indexes }: State, node: Preemption["nodes"][number]): boolean {
  const record = tables.nodes.get(node);
  return record !== undefined && isSchedulable(record.state) && !indexes.heldFor.has(node);
}

/** Only what runs has a state to save. */
function displace(
  ctx: Applying,
  victim: Allocation,
  { by, checkpointMs }: { readonly by: Allocation; readonly checkpointMs: Preemption["checkpointMs"] },
): void {
  const saves = victim.state === "running" && checkpointStrategy(victim.spec) !== "none" && checkpointMs > 0;
  changeAllocation(ctx, victim, {
    ...(saves && { state: "checkpointing" }),
    message: `makes room for ${displayId(by)}, of class ${by.spec.preemptionClass}`,
    stopping: { reason: "preempted", at: ctx.at, by: displayId(by), ...(saves && { checkpointMs }) },
  });
}
