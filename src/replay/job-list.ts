/**
 * Reads a JSON array of submissions: `allocation_id`, `timestamp` (s), `node_count`,
 * `priority`, `tenant`, as other tools for tuning write it. That format has no run times, so
 * `run_seconds` and, where they are known, `walltime_seconds` and `user` stand beside them.
 */
import { millis } from "../base/brand.ts";
import { compareNumber } from "../base/compare.ts";
import type { Result } from "../base/result.ts";
import { ok } from "../base/result.ts";
import type { Fault } from "../core/domain/errors.ts";
import { refuse } from "../core/domain/errors.ts";
import type { Trace, TraceJob } from "./trace.ts";

const NEXT = "give an array of objects with allocation_id, timestamp, node_count and run_seconds";
const CLASS_MAX = 10;

/** Returns the trace in `text`. */
export function readJobList(text: string): Result<Trace, Fault> {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    return refuse("INVALID_SPEC", "the file is no JSON", NEXT);
  }
  if (!Array.isArray(list)) return refuse("INVALID_SPEC", "the file is no JSON array", NEXT);
  const jobs: TraceJob[] = [];
  const names = new Set<string>();
  for (const [at, entry] of list.entries()) {
    const job = jobOf(entry);
    if (typeof job === "string") return refuse("INVALID_SPEC", `entry ${at + 1}: ${job}`, NEXT);
    if (names.has(job.name))
      return refuse("INVALID_SPEC", `entry ${at + 1}: allocation_id ${job.name} is there twice`, NEXT);
    names.add(job.name);
    jobs.push(job);
  }
  jobs.sort((a, b) => compareNumber(a.submittedAt, b.submittedAt));
  return ok({ jobs, header: {}, skipped: {} });
}

/** Returns the job, or what is wrong with the entry. */
function jobOf(entry: unknown): TraceJob | string {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) return "it is no object";
  const fields = new Map<string, unknown>(Object.entries(entry));
  const name = fields.get("allocation_id");
  if (typeof name !== "string" || name === "") return "allocation_id is missing";
  for (const key of ["timestamp", "node_count", "run_seconds"]) {
    const value = fields.get(key);
    if (value === undefined) return `${key} is missing`;
    if (typeof value !== "number" || !(value >= 0)) return `${key} is ${JSON.stringify(value)}`;
  }
  const number = (key: string, otherwise = 0): number => {
    const value = fields.get(key);
    return typeof value === "number" && value >= 0 ? value : otherwise;
  };
  const text = (key: string): string => {
    const value = fields.get(key);
    return typeof value === "string" ? value : "";
  };
  const nodes = number("node_count");
  if (!Number.isInteger(nodes) || nodes === 0) return `node_count is ${nodes}`;
  return {
    name,
    submittedAt: millis(number("timestamp") * 1_000),
    runMs: Math.max(1, number("run_seconds") * 1_000),
    walltimeMs: millis(number("walltime_seconds") * 1_000),
    nodes,
    priority: Math.min(CLASS_MAX, Math.floor(number("priority", 5))),
    user: text("user"),
    tenant: text("tenant"),
  };
}
