/** Reads the index lists of job arrays: `0-15`, `1,3,5-7:2`, `0-99%20`. */
import { compareNumber } from "../../base/compare.ts";
import type { Result } from "../../base/result.ts";
import { ok } from "../../base/result.ts";
import type { Fault } from "../domain/errors.ts";
import { refuse } from "../domain/errors.ts";
import { LIMITS } from "../domain/limits.ts";
import type { TaskRange } from "../domain/task-group.ts";
import { rangeSize } from "../domain/task-group.ts";

/** The indices of an array, ascending and each once; `concurrentMax` 0 is without limit. */
export interface ArraySpec {
  readonly ranges: readonly TaskRange[];
  readonly concurrentMax: number;
}

const ITEM = /^(\d{1,9})(?:-(\d{1,9})(?::(\d{1,9}))?)?$/;
const LIMITED = /^([^%]*)(?:%(\d{1,9}))?$/;

/** Returns the indices that `text` lists. Fails with INVALID_SPEC when malformed or larger than an array may be. */
export function parseArraySpec(text: string): Result<ArraySpec, Fault> {
  const [, list = "", limit = "0"] = LIMITED.exec(text) ?? [];
  const ranges: TaskRange[] = [];
  for (const item of list.split(",")) {
    const [, from, to = from, step = "1"] = ITEM.exec(item.trim()) ?? [];
    const range = { start: Number(from), end: Number(to), step: Number(step) };
    if (from === undefined || range.end < range.start || range.step < 1) {
      return refuse("INVALID_SPEC", `"${text}" is not a list of array indices: write 0-15, 1,3,5-7:2 or 0-99%20`);
    }
    ranges.push(range.start === range.end ? { ...range, step: 1 } : range);
  }
  const total = ranges.reduce((sum, range) => sum + rangeSize(range), 0);
  if (total > LIMITS.arrayTasksMax) {
    return refuse("INVALID_SPEC", `"${text}" has ${total} tasks, an array has ${LIMITS.arrayTasksMax} at most`);
  }
  return ok({ ranges: isAscending(ranges) ? ranges : merged(ranges), concurrentMax: Number(limit) });
}

/** Returns the ranges as `parseArraySpec` reads them. */
export function formatRanges(ranges: readonly TaskRange[]): string {
  return ranges
    .map(({ start, end, step }) => (start === end ? `${start}` : `${start}-${end}${step > 1 ? `:${step}` : ""}`))
    .join(",");
}

const isAscending = (ranges: readonly TaskRange[]): boolean =>
  ranges.every((range, i) => i === 0 || (ranges[i - 1]?.end ?? 0) < range.start);

/** Overlapping or unordered lists are few and small: their indices are laid out and gathered again. */
function merged(ranges: readonly TaskRange[]): readonly TaskRange[] {
  const indices = new Set<number>();
  for (const { start, end, step } of ranges) for (let i = start; i <= end; i += step) indices.add(i);
  const out: { start: number; end: number; step: number }[] = [];
  for (const index of [...indices].sort(compareNumber)) {
    const last = out.at(-1);
    if (last !== undefined && index === last.end + 1) last.end = index;
    else out.push({ start: index, end: index, step: 1 });
  }
  return out;
}
