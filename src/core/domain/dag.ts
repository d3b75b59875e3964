/** The workflow: a named set of allocations with dependencies among them. */
import type { LogIndex, Millis } from "../../base/brand.ts";
import type { Result } from "../../base/result.ts";
import { ok } from "../../base/result.ts";
import type { Fault } from "./errors.ts";
import { refuse } from "./errors.ts";
import type { AllocationId, DagId, TenantId, UserId } from "./ids.ts";
import type { AllocationState } from "./lifecycle.ts";
import { isTerminal } from "./lifecycle.ts";

/** The replicated record. Its state is derived from its members. */
export interface Dag {
  readonly id: DagId;
  readonly version: LogIndex;
  readonly tenant: TenantId;
  readonly user: UserId;
  /** In submit order. */
  readonly members: readonly AllocationId[];
  readonly submittedAt: Millis;
}

/** A workflow's state, which follows from its members. */
export type DagState = "pending" | "running" | "completed" | "failed" | "cancelled";

/** Returns the state of a workflow whose members are in these states. */
export function dagState(members: readonly AllocationState[]): DagState {
  if (members.every(isTerminal)) {
    if (members.some((m) => m === "failed")) return "failed";
    return members.every((m) => m === "cancelled") && members.length > 0 ? "cancelled" : "completed";
  }
  return members.some((m) => m !== "pending") ? "running" : "pending";
}

/** A member's name and the names it depends on. */
export interface DagEdges {
  readonly name: string;
  readonly dependsOn: readonly string[];
}

/**
 * Returns the members in an order that puts each after what it depends on (Kahn).
 * Fails with INVALID_SPEC for a name used twice or unknown, DAG_CYCLE naming one cycle.
 */
export function orderDag(members: readonly DagEdges[]): Result<readonly string[], Fault> {
  const byName = new Map<string, DagEdges>();
  for (const member of members) {
    if (byName.has(member.name)) return refuse("INVALID_SPEC", `the workflow has two members named ${member.name}`);
    byName.set(member.name, member);
  }
  const waitingFor = new Map<string, number>();
  const dependents = new Map<string, string[]>();
  for (const member of members) {
    waitingFor.set(member.name, member.dependsOn.length);
    for (const upstream of member.dependsOn) {
      if (!byName.has(upstream)) {
        return refuse("INVALID_SPEC", `${member.name} depends on ${upstream}, which the workflow does not have`);
      }
      const list = dependents.get(upstream);
      if (list) list.push(member.name);
      else dependents.set(upstream, [member.name]);
    }
  }
  const order: string[] = members.filter((m) => m.dependsOn.length === 0).map((m) => m.name);
  for (let i = 0; i < order.length; i++) {
    for (const dependent of dependents.get(order[i] ?? "") ?? []) {
      const left = (waitingFor.get(dependent) ?? 0) - 1;
      waitingFor.set(dependent, left);
      if (left === 0) order.push(dependent);
    }
  }
  if (order.length === members.length) return ok(order);
  const cycle = findCycle(byName, new Set(order));
  return refuse("DAG_CYCLE", `the dependencies form a cycle: ${cycle.join(" -> ")}`);
}

function findCycle(byName: ReadonlyMap<string, DagEdges>, done: ReadonlySet<string>): readonly string[] {
  const start = [...byName.keys()].find((name) => !done.has(name)) ?? "";
  const trail: string[] = [];
  let at = start;
  while (!trail.includes(at)) {
    trail.push(at);
    at = byName.get(at)?.dependsOn.find((name) => !done.has(name)) ?? "";
  }
  return [...trail.slice(trail.indexOf(at)), at];
}
