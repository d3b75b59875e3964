/** f5: how much of its input is where it will run. */
import { clampToUnit } from "./priority.ts";

const UNKNOWN = 0.5;

/** Returns the fraction that is ready; one half where nobody knows. */
export const dataReadinessFactor = (ready: number | undefined): number => clampToUnit(ready ?? UNKNOWN);
