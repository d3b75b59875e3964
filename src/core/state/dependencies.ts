/**
 * Dependencies: what each condition means, and who is set free when something ends.
 * Names that only one may hold are taken all at once and only when nothing else is
 * waited for, so that two holders can never wait for each other.
 */
import { compareNumber } from "../../base/compare.ts";
import type { Allocation, Dependency, DependencyCondition } from "../domain/allocation.ts";
import type { AllocationId, ShortId, TaskGroupId } from "../domain/ids.ts";
import { allocationId, shortId, taskGroupId } from "../domain/ids.ts";
import type { AllocationState } from "../domain/lifecycle.ts";
import { isTerminal } from "../domain/lifecycle.ts";
import type { TaskGroup } from "../domain/task-group.ts";
import { isGroupOver } from "../domain/task-group.ts";
import { mutexKeysOf } from "./index-allocation.ts";
import type { State } from "./state.ts";

/** Whether a dependency holds, may still hold, or never can. */
export type Verdict = "satisfied" | "waiting" | "never";

/** Returns what an upstream that ended like this means for a condition. */
export function judge(condition: DependencyCondition, outcome: AllocationState): Verdict {
  if (!isTerminal(outcome)) return "waiting";
  switch (condition) {
    case "any":
    case "mutex":
      return "satisfied";
    case "success":
    case "corresponding":
      return outcome === "completed" ? "satisfied" : "never";
    case "failure":
      return outcome === "failed" ? "satisfied" : "never";
  }
}

/** Returns how a task group stands as a whole: like its worst task once it is over. */
export function groupOutcome(group: TaskGroup): AllocationState {
  if (!isGroupOver(group)) return group.counts.running > 0 ? "running" : "pending";
  if (group.counts.failed > 0) return "failed";
  return group.counts.cancelled > 0 || group.isCancelled ? "cancelled" : "completed";
}

/** Returns the state of an allocation or group in memory; undefined when it is in neither table. */
export function outcomeOf(state: State, id: string): AllocationState | undefined {
  const allocation = findAllocation(state, id);
  if (allocation) return allocation.state;
  const group = findTaskGroup(state, id);
  return group && groupOutcome(group);
}

/** Looks an id up among the allocations; ids of other nouns are not there. */
export const findAllocation = (state: State, id: string): Allocation | undefined =>
  state.tables.allocations.get(allocationId(id));

/** Looks an id up among the task groups; ids of other nouns are not there. */
export const findTaskGroup = (state: State, id: string): TaskGroup | undefined =>
  state.tables.taskGroups.get(taskGroupId(id));

/**
 * Returns whether an allocation or group waits for names that only one may hold, and for
 * nothing else. A group whose tasks correspond to others' does not wait as a whole: they do.
 */
export function waitsForMutexOnly(record: Allocation | TaskGroup): boolean {
  const others = record.waitsFor.filter((d) => d.condition !== "mutex");
  const isOwn = (d: Dependency): boolean => "ranges" in record && d.condition === "corresponding";
  return others.length < record.waitsFor.length && others.every(isOwn);
}

/** Returns whether every name the record asks for is free. */
export const canTakeMutexes = (state: State, record: Allocation | TaskGroup): boolean =>
  mutexKeysOf(record).every((key) => !state.indexes.mutexHolders.has(key));

/** Returns those that wait for `id`, in order of submission. */
export function dependentsOf(state: State, id: AllocationId | TaskGroupId): readonly (AllocationId | TaskGroupId)[] {
  const ids = [...(state.indexes.dependents.get(id) ?? [])];
  return ids.sort((a, b) => compareNumber(shortIdOf(state, a), shortIdOf(state, b)));
}

/** Returns those that wait for a name, in order of submission. */
export const mutexWaitersOf = (state: State, key: string): readonly (AllocationId | TaskGroupId)[] => [
  ...(state.indexes.mutexWaiters.get(key)?.values() ?? []),
];

function shortIdOf(state: State, id: AllocationId | TaskGroupId): ShortId {
  const record = findAllocation(state, id) ?? findTaskGroup(state, id);
  return record?.shortId ?? shortId(0);
}
