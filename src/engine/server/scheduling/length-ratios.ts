/** How long work lasts of what it may: the part of their walltimes that allocations used which ended of late. */
import { compareNumber } from "../../../base/compare.ts";
import type { State } from "../../../core/state/state.ts";

/** Fewer say nothing of those to come. */
const SAMPLES_MIN = 20;

/** The part of its walltime that work lasted. */
export interface LengthRatios {
  /** Of half of it, at most. */
  readonly median: number;
  /** Of a tenth of it, at most. */
  readonly shortest: number;
}

/** Returns the ratios of what ended of late, or undefined where too little has. */
export function lengthRatiosOf({ tables, indexes }: State): LengthRatios | undefined {
  const ratios: number[] = [];
  for (const id of indexes.ended.keys()) {
    const { startedAt, endedAt, walltimeMs = 0 } = tables.allocations.get(id) ?? {};
    if (startedAt === undefined || endedAt === undefined || walltimeMs <= 0) continue;
    ratios.push(Math.min(1, (endedAt - startedAt) / walltimeMs));
  }
  if (ratios.length < SAMPLES_MIN) return undefined;
  ratios.sort(compareNumber);
  const at = (part: number): number => ratios[Math.floor(ratios.length * part)] ?? 1;
  return { median: at(0.5), shortest: at(0.1) };
}
