/** f2: how long it has waited. It grows fast at first, and is full after a week, so that nothing is passed over for ever. */
import { ln } from "../../../base/math.ts";
import { clampToUnit } from "./priority.ts";

const HOUR_MS = 3_600_000;
/** Hours after which the factor is full. */
const FULL_HOURS = 168;
const FULL = ln(1 + FULL_HOURS);

/** Returns ln(1 + hours) / ln(1 + 168), at most 1. */
export const waitTimeFactor = (waitedMs: number): number => clampToUnit(ln(1 + Math.max(0, waitedMs) / HOUR_MS) / FULL);
