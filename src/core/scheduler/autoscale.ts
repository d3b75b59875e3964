/**
 * When a service grows or shrinks: its metric above the target for a while gives it a node
 * more, below half of the target for a longer while takes one away, and after each change it
 * is left alone. What is not measured decides nothing. Pure: the loop keeps the memory.
 */

/** How long the metric must say the same, and how long a change has to take effect. */
export interface ScalePolicy {
  readonly upAfterMs: number;
  readonly downAfterMs: number;
  readonly cooldownMs: number;
}

/** The times of the documentation: 2, 5 and 3 minutes. */
export const DEFAULT_SCALE_POLICY: ScalePolicy = { upAfterMs: 120_000, downAfterMs: 300_000, cooldownMs: 180_000 };

/** Since when the metric has been too high or too low without a break. */
export interface ScaleMemory {
  readonly aboveSince?: number;
  readonly belowSince?: number;
}

/** One look at a service. */
export interface ScaleLook {
  readonly now: number;
  /** Undefined where it could not be measured. */
  readonly value: number | undefined;
  readonly target: number;
  readonly nodes: number;
  readonly nodesMin: number;
  readonly nodesMax: number;
  readonly scaledAt: number | undefined;
}

/** What to do, and what to remember until the next look. */
export interface ScaleVerdict {
  readonly change: "grow" | "shrink" | "none";
  readonly memory: ScaleMemory;
}

/** Below this part of its target a service has too much. */
const LOW = 0.5;

/** Returns what to do about a service. */
export function decideScale(policy: ScalePolicy, memory: ScaleMemory, look: ScaleLook): ScaleVerdict {
  const { now, value, target, nodes, nodesMin, nodesMax, scaledAt } = look;
  if (value === undefined || !Number.isFinite(value)) return { change: "none", memory: {} };
  if (value <= target && value >= LOW * target) return { change: "none", memory: {} };
  const isAbove = value > target;
  const since = (isAbove ? memory.aboveSince : memory.belowSince) ?? now;
  const kept = isAbove ? { aboveSince: since } : { belowSince: since };
  const isLong = now - since >= (isAbove ? policy.upAfterMs : policy.downAfterMs);
  const isCool = scaledAt === undefined || now - scaledAt >= policy.cooldownMs;
  const hasRoom = isAbove ? nodes < nodesMax : nodes > nodesMin;
  if (!isLong || !isCool || !hasRoom) return { change: "none", memory: kept };
  return { change: isAbove ? "grow" : "shrink", memory: {} };
}
