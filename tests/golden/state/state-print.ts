/** How the golden files of the state machine show records, outcomes and events. */
import type { Allocation } from "../../../src/core/domain/allocation.ts";
import type { AllocationId, NodeId, TaskGroupId, TenantId } from "../../../src/core/domain/ids.ts";
import type { Node } from "../../../src/core/domain/node.ts";
import type { Applied } from "../../../src/core/state/apply.ts";
import type { Output } from "../../../src/core/state/commands.ts";
import type { StateEvent } from "../../../src/core/state/events.ts";
import { tenantLoadOf } from "../../../src/core/state/index-allocation.ts";
import type { State } from "../../../src/core/state/state.ts";
import { assignmentsOf } from "../../../src/core/state/view.ts";

/** Returns the name under which a script knows an allocation. */
export function labelOf(state: State, id: AllocationId): string {
  const task = state.tables.allocations.get(id)?.task;
  return task ? `${task.group}_${task.index}` : id;
}

/** Returns the refusal or the noteworthy parts of the output, and what changed. */
export function showApplied(state: State, { outcome, events }: Applied): readonly string[] {
  if (!outcome.ok) return [`refused ${outcome.error.reason}: ${outcome.error.message}`];
  const shown = events.flatMap((event) => showEvent(state, event));
  const more = shown.length > EVENTS_MAX ? [`... and ${shown.length - 2} more`] : [];
  return [...showOutput(state, outcome.value), ...(more.length > 0 ? shown.slice(0, 2) : shown), ...more];
}

/** More events than these are counted, not listed. */
const EVENTS_MAX = 20;

function showOutput(state: State, output: Output): readonly string[] {
  switch (output.kind) {
    case "assigned":
      return output.refused.map(
        ({ allocation, fault }) => `refused ${labelOf(state, allocation)} ${fault.reason}: ${fault.message}`,
      );
    case "cancelled":
      return [`cancelled ${output.count}`];
    case "drained":
      return output.activeAllocations > 0 ? [`draining ${output.activeAllocations}`] : [];
    case "done":
    case "submitted":
      return [];
  }
}

function showEvent(state: State, event: StateEvent): readonly string[] {
  switch (event.kind) {
    case "allocation-changed": {
      const message = event.message === "" ? "" : `  (${event.message})`;
      return [`${labelOf(state, event.allocation)}  ${event.from ?? "new"} -> ${event.to}${message}`];
    }
    case "node-changed": {
      const reason = event.reason === "" ? "" : `  (${event.reason})`;
      return [`${event.node}  ${event.from ?? "new"} -> ${event.to}${reason}`];
    }
    case "assignments-changed":
    case "policy-changed":
      return [];
  }
}

/** Returns the lines for one allocation. */
export function showAllocation(state: State, id: AllocationId): readonly string[] {
  const a = state.tables.allocations.get(id);
  if (!a) return [`${id}  not in memory`];
  const parts = a.parts.map(({ claim, phase, cause }) => `${claim.nodeId}:${phase}${cause ? `:${cause}` : ""}`);
  const facts = [
    `number ${a.shortId}`,
    a.state,
    a.attempt > 1 && `attempt ${a.attempt}`,
    parts.length > 0 && parts.join(" "),
    a.stopping && `stopping for ${a.stopping.reason}`,
    a.preemptedCount !== undefined && `made room ${a.preemptedCount} times`,
    a.savedMs !== undefined && `saved after ${a.savedMs / 1_000} s`,
    a.hold && `${a.hold.nodes.join(" ")} kept for it until ${a.hold.until}`,
    a.exitCode !== undefined && `exit ${a.exitCode}`,
    a.signal !== undefined && `signal ${a.signal}`,
    a.notBefore !== undefined && `not before ${a.notBefore}`,
    a.waitsFor.length > 0 && `waits for ${a.waitsFor.map(showDependency(state)).join(", ")}`,
    a.message !== "" && `(${a.message})`,
  ];
  return [`${labelOf(state, id)}  ${facts.filter(Boolean).join("; ")}`];
}

const showDependency =
  (state: State) =>
  ({ condition, on, mutex }: Allocation["waitsFor"][number]): string => {
    if (on === undefined) return `the name ${mutex}`;
    const known = [...state.tables.allocations.values()].find((a) => a.id === on);
    return `${condition} of ${known ? labelOf(state, known.id) : on}`;
  };

/** Returns the lines for one array. */
export function showGroup(state: State, id: TaskGroupId): readonly string[] {
  const group = state.tables.taskGroups.get(id);
  if (!group) return [`${id}  not in memory`];
  const { counts, born, total } = group;
  const numbers = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  const over = group.endedAt === undefined ? "" : `; over${group.isCancelled ? ", cancelled" : ""}`;
  return [`${id}  number ${group.shortId}; born ${born} of ${total}; ${numbers.join(", ")}${over}`];
}

/** Returns the line for one node. */
export const showNode = (node: Node): string =>
  `${node.id}  ${node.state}${node.reason === "" ? "" : `  (${node.reason})`}`;

/** Returns what counts toward a tenant's quota. */
export function showTenant(state: State, id: TenantId): string {
  const { open, nodesHeld } = tenantLoadOf(state, id);
  return `${id}  ${open} open, ${nodesHeld} nodes held`;
}

/** Returns which nodes are kept for whom. */
export const showHolds = (state: State): readonly string[] =>
  [...state.indexes.heldFor].map(([node, holder]) => `${node}  kept for ${labelOf(state, holder)}`);

const checkpointText = (checkpointMs = 0): string =>
  checkpointMs > 0 ? ` after ${checkpointMs / 1_000} s to save its state` : "";

/** Returns what the agent of a node is told to have. */
export const showDesired = (state: State, node: NodeId): readonly string[] =>
  assignmentsOf(state, node).map(({ allocation, attempt, action, walltimeMs, work }) => {
    const why = action.kind === "stop" ? ` for ${action.reason}${checkpointText(action.checkpointMs)}` : "";
    const runs = work.runsHere ? "" : ", only held";
    const label = labelOf(state, allocation);
    return `${label}  ${action.kind}${why}, attempt ${attempt}, walltime ${walltimeMs / 1_000} s${runs}`;
  });
