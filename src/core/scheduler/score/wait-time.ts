/** f2: how long it has waited. It grows fast at first, and is full after a week, so that nothing is passed over for ever. */
import { ln } from "../../../base/math.ts";
import { clampToUnit } from "./priority.ts";

const HOUR_MS = 3_600_000;
/** Hours after which the factor is full. */
const FULL_HOURS = 168;
const FULL = ln(1 + FULL_HOURS);

const DAY_MS = 24 * HOUR_MS;
const OVERDUE_A_DAY = 0.1;

/**
 * Returns what is added to the score of what has waited longer than the factor counts: a
 * tenth for each further day, without end. So whatever else speaks against it (it is wide,
 * its tenant has used much), newer work does not go before it for ever.
 */
export const overdue = (waitedMs: number): number =>
  (OVERDUE_A_DAY * Math.max(0, waitedMs - FULL_HOURS * HOUR_MS)) / DAY_MS;

/** Returns ln(1 + hours) / ln(1 + 168), at most 1. */
export const waitTimeFactor = (waitedMs: number): number => clampToUnit(ln(1 + Math.max(0, waitedMs) / HOUR_MS) / FULL);
