/**
 * What preemption means for one allocation: whether it may have to make room, what it can
 * save, and how much of its walltime is left afterwards. Read by the scheduler's view and
 * checked again when a preemption is applied.
 */
import type { Millis } from "../../base/brand.ts";
import { millis } from "../../base/brand.ts";
import type { Allocation, AllocationSpec } from "../domain/allocation.ts";
import { LIMITS } from "../domain/limits.ts";

/** How work saves its state: when asked, at times of its own, or never. */
export type CheckpointStrategy = "auto" | "manual" | "none";

/** From this class on, work that cannot save its state is not displaced. */
const KEPT_WITHOUT_CHECKPOINT = 7;

/** Returns how the work says that it saves its state; undefined where it says nothing. */
export function checkpointStrategy({ extra }: AllocationSpec): CheckpointStrategy | undefined {
  const { checkpoint } = extra ?? {};
  if (typeof checkpoint !== "object" || checkpoint === null || !("strategy" in checkpoint)) return undefined;
  const { strategy } = checkpoint;
  return strategy === "auto" || strategy === "manual" || strategy === "none" ? strategy : undefined;
}

/**
 * Returns whether the work may have to make room for work of a higher class: not the highest
 * class, nor what is sensitive, nor what must not be run again, nor what ends already.
 */
export function isDisplaceable(a: Allocation): boolean {
  const { preemptionClass, isSensitive, requeuePolicy } = a.spec;
  if ((a.state !== "running" && a.state !== "staging") || a.stopping !== undefined) return false;
  if (preemptionClass >= LIMITS.preemptionClassMax || isSensitive || requeuePolicy === "never") return false;
  return preemptionClass < KEPT_WITHOUT_CHECKPOINT || checkpointStrategy(a.spec) !== "none";
}

/** Returns how long the next or present run may last: the walltime less what saved runs used; 0 is without limit. */
export const runLimitOf = ({ walltimeMs, savedMs = millis(0) }: Pick<Allocation, "walltimeMs" | "savedMs">): Millis =>
  walltimeMs === 0 ? walltimeMs : millis(Math.max(1, walltimeMs - savedMs));
