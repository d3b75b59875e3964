/** f7: how cheap energy is. Equal for all work at one time, so it matters only beside a budget. */
import { clampToUnit } from "./priority.ts";

/** Returns 1 − price, where 0 is the cheapest and 1 the dearest that the site knows. */
export const energyFactor = (price: number): number => 1 - clampToUnit(price);
