/**
 * What is left of the score of a tenant that has used the fraction u of its budget: all up
 * to 80 %, a twentieth from 120 %, and half a cosine wave between.
 */
import { cos } from "../../../base/math.ts";

const FULL_UNTIL = 0.8;
const LEAST_FROM = 1.2;
const LEAST = 0.05;

/** Returns 1, or 0.05 + 0.95 · (1 + cos(π (u − 0.8) / 0.4)) / 2, or 0.05. */
export function budgetPenalty(used: number): number {
  if (used <= FULL_UNTIL) return 1;
  if (used >= LEAST_FROM) return LEAST;
  const turn = (Math.PI * (used - FULL_UNTIL)) / (LEAST_FROM - FULL_UNTIL);
  return LEAST + ((1 - LEAST) * (1 + cos(Math.min(Math.PI, turn)))) / 2;
}
