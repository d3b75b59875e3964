/**
 * The array: one record however many tasks it has. A task becomes an allocation when it
 * may run (a window of them at a time), so 10^6 tasks cost one entry until they run.
 */
import type { LogIndex, Millis } from "../../base/brand.ts";
import type { AllocationSpec, Dependency } from "./allocation.ts";
import type { ShortId, TaskGroupId, UserId } from "./ids.ts";

/** Indices from start to end, both included. */
export interface TaskRange {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** How many tasks are in each condition; `unborn` ones are not yet allocations. */
export interface TaskCounts {
  readonly pending: number;
  readonly running: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
}

/** The replicated record. */
export interface TaskGroup {
  readonly id: TaskGroupId;
  readonly shortId: ShortId;
  readonly version: LogIndex;
  readonly user: UserId;
  readonly spec: AllocationSpec;
  readonly ranges: readonly TaskRange[];
  /** Sum of the ranges' sizes. */
  readonly total: number;
  /** Tasks that run at once at most; 0 is without limit. */
  readonly concurrentMax: number;
  /** How many tasks exist as allocations so far, in range order. */
  readonly born: number;
  readonly counts: TaskCounts;
  readonly submittedAt: Millis;
  readonly endedAt?: Millis;
  /** Set when the rest of the array will not be born. */
  readonly isCancelled: boolean;
  readonly waitsFor: readonly Dependency[];
}

/** Returns the number of indices in a range. */
export const rangeSize = (range: TaskRange): number => Math.floor((range.end - range.start) / range.step) + 1;

/** Returns the index of the n-th task (from 0), or undefined past the end. */
export function indexAt(ranges: readonly TaskRange[], n: number): number | undefined {
  let rest = n;
  for (const range of ranges) {
    const size = rangeSize(range);
    if (rest < size) return range.start + rest * range.step;
    rest -= size;
  }
  return undefined;
}

/** Returns whether `index` is one of the group's. */
export const hasIndex = (ranges: readonly TaskRange[], index: number): boolean =>
  ranges.some((r) => index >= r.start && index <= r.end && (index - r.start) % r.step === 0);

/** Returns whether no task is left that could still run. */
export const isGroupOver = (group: TaskGroup): boolean =>
  group.counts.pending + group.counts.running === 0 && (group.isCancelled || group.born === group.total);
