/** f1: what the submitter's class is worth. */

/** The highest preemption class. */
const CLASS_MAX = 10;

/** Returns class / 10. */
export const priorityFactor = (preemptionClass: number): number => clampToUnit(preemptionClass / CLASS_MAX);

/** Returns the nearest number from 0 to 1. */
export const clampToUnit = (value: number): number => Math.max(0, Math.min(1, value));
