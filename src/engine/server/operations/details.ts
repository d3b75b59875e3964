/** Makes what reads give back from the records, in memory or archived. */
import { compareText } from "../../../base/compare.ts";
import type { Allocation, Hold } from "../../../core/domain/allocation.ts";
import { displayId, nodesOf } from "../../../core/domain/allocation.ts";
import type { Reason } from "../../../core/domain/reason.ts";
import { reason } from "../../../core/domain/reason.ts";
import type { TaskGroup } from "../../../core/domain/task-group.ts";
import { findAllocation, findTaskGroup, groupOutcome, outcomeOf } from "../../../core/state/dependencies.ts";
import { mutexKey } from "../../../core/state/index-allocation.ts";
import type { Server } from "../server.ts";
import type { Found } from "./lookup.ts";
import type { AllocationDetail } from "./results.ts";

/** Returns the detail of what was found. */
export function detailOf(server: Server, found: Found): AllocationDetail {
  return found.kind === "allocation" ? allocationDetail(server, found.record) : groupDetail(server, found.record);
}

/** Returns the detail of an allocation; a waiting one has its reasons. */
export function allocationDetail(server: Server, allocation: Allocation): AllocationDetail {
  const reasons = allocation.state === "pending" ? reasonsOf(server, allocation) : [];
  return { kind: "allocation", allocation, reasons };
}

/** Returns the detail of a task group. */
export function groupDetail(server: Server, group: TaskGroup): AllocationDetail {
  const state = groupOutcome(group);
  return { kind: "task-group", group, state, reasons: state === "pending" ? waitingReasons(server, group) : [] };
}

/** Returns why an allocation waits: for others, or for the scheduler. */
export function reasonsOf(server: Server, a: Allocation): readonly Reason[] {
  if (a.hold) return [makingRoom(server, a.hold)];
  return a.waitsFor.length > 0 ? waitingReasons(server, a) : server.reasons.of(a.id);
}

/** Returns that others are making room, and who still is. */
export function makingRoom({ replica }: Server, { nodes, until }: Hold): Reason {
  const { nodeLoad } = replica.state.indexes;
  const ids = new Set(nodes.flatMap((node) => [...(nodeLoad.get(node)?.claims.keys() ?? [])]));
  const busy = [...ids].flatMap((id) => findAllocation(replica.state, id) ?? []).filter(({ stopping }) => stopping);
  const who = busy.map(displayId).sort(compareText).join(", ") || "all have";
  return reason("MAKING_ROOM", `${who}; ${nodes.length} nodes are kept for it until ${new Date(until).toISOString()}`);
}

/** Returns what an allocation or group waits for besides nodes. */
export function waitingReasons(server: Server, record: Allocation | TaskGroup): readonly Reason[] {
  const { state } = server.replica;
  return record.waitsFor.map(({ condition, on, mutex }) => {
    if (on === undefined) {
      const holder = state.indexes.mutexHolders.get(mutexKey(record.spec.tenant, record.user, mutex ?? ""));
      const held = holder && (findAllocation(state, holder) ?? findTaskGroup(state, holder));
      return reason("MUTEX", held ? `${mutex} is held by ${held.shortId}` : mutex);
    }
    const upstream = findAllocation(state, on) ?? findTaskGroup(state, on);
    return reason(
      "DEPENDENCY",
      `${condition} of ${upstream?.shortId ?? on}, which is ${outcomeOf(state, on) ?? "not there"}`,
    );
  });
}

/** Returns the nodes on which an attempt ran or runs, in rank order. */
export function nodesOfAttempt(a: Allocation, attempt: number): readonly string[] {
  const nodes = attempt === a.attempt ? nodesOf(a) : (a.pastAttempts?.find((p) => p.attempt === attempt)?.nodes ?? []);
  return a.spec.runOn === "first" ? nodes.slice(0, 1) : nodes;
}
