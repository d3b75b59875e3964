/** Reads amounts as Slurm writes them: counts, node ranges, memory, GPUs, features. Memory units are powers of 1024. */
import type { Result } from "../../base/result.ts";
import { ok } from "../../base/result.ts";
import type { Fault } from "../domain/errors.ts";
import { refuse } from "../domain/errors.ts";
import { LIMITS } from "../domain/limits.ts";

/** GPUs asked for; an empty type is any. */
export interface GpuCount {
  readonly type: string;
  readonly count: number;
}

/** Features that every node must have, and those that some number of nodes must have. */
export interface Constraint {
  readonly features: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

const NODES = /^(\d{1,9})(?:-(\d{1,9}))?$/;
const MEMORY = /^(\d{1,15}(?:\.\d{1,6})?)\s*([kmgtp]?)(?:i?b)?$/i;
const GPUS = /^(?:([a-z_][\w.-]*):)?(\d{1,6}(?:\.\d{1,3})?)$/i;
const FEATURE = /^([\w.:=/-]+?)(?:\*(\d{1,9}))?$/;
const UNIT_POWERS = "kmgtp";

/** Returns a whole number from `least` up. */
export function parseCount(text: string, least = 1): Result<number, Fault> {
  if (/^\d{1,9}$/.test(text) && Number(text) >= least) return ok(Number(text));
  return refuse("INVALID_SPEC", `"${text}" is not a whole number from ${least} up`);
}

/** Returns the bounds of `4` or `2-4`. */
export function parseNodes(text: string): Result<{ readonly min: number; readonly max: number }, Fault> {
  const [, from, to = from] = NODES.exec(text) ?? [];
  const min = Number(from);
  const max = Number(to);
  if (from === undefined || min < 1 || max < min) {
    return refuse("INVALID_SPEC", `"${text}" is not a number of nodes: write 4 or 2-4`);
  }
  if (max > LIMITS.nodesPerAllocationMax) {
    return refuse("INVALID_SPEC", `"${text}" is more than ${LIMITS.nodesPerAllocationMax} nodes`);
  }
  return ok({ min, max });
}

/** Returns bytes; a number without a unit counts megabytes. */
export function parseMemory(text: string): Result<number, Fault> {
  const [, number, unit = ""] = MEMORY.exec(text) ?? [];
  if (number === undefined)
    return refuse("INVALID_SPEC", `"${text}" is not an amount of memory: write 512M, 4G or 1.5T`);
  const power = unit === "" ? 2 : UNIT_POWERS.indexOf(unit.toLowerCase()) + 1;
  let bytes = Number(number);
  for (let i = 0; i < power; i++) bytes *= 1024;
  return ok(Math.round(bytes));
}

/** Returns the GPUs of `2`, `a100:2` or, where a part will do, `0.5`. */
export function parseGpus(text: string): Result<GpuCount, Fault> {
  if (text.includes(",")) {
    return refuse(
      "INVALID_SPEC",
      `"${text}" asks for several GPU types: an allocation has one, use a workflow of several`,
    );
  }
  const match = GPUS.exec(text);
  if (match) return ok({ type: match[1] ?? "", count: Number(match[2]) });
  return refuse("INVALID_SPEC", `"${text}" is not a number of GPUs: write 2, a100:2 or 0.5`);
}

/** Returns what `a100&ib`, `a100,ib` or `rack1*2&rack2*4` asks for. */
export function parseConstraint(text: string): Result<Constraint, Fault> {
  const features: string[] = [];
  const counts: Record<string, number> = {};
  if (/[|[\]()]/.test(text)) {
    return refuse("INVALID_SPEC", `"${text}" has alternatives, which cannot be asked for: name features joined by &`);
  }
  for (const item of text.split(/[&,]/)) {
    const [, name, count] = FEATURE.exec(item.trim()) ?? [];
    if (name === undefined) return refuse("INVALID_SPEC", `"${text}" is not a list of features joined by &`);
    if (count === undefined) features.push(name);
    else counts[name] = Number(count);
  }
  return ok({ features, counts });
}
