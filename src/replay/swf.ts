/**
 * Reads the Standard Workload Format of the Parallel Workloads Archive, version 2: one job
 * a line in 18 fields, `;` before comments and the header, -1 for what is not known.
 */
import { millis } from "../base/brand.ts";
import { compareNumber } from "../base/compare.ts";
import type { Result } from "../base/result.ts";
import { ok } from "../base/result.ts";
import type { Fault } from "../core/domain/errors.ts";
import { refuse } from "../core/domain/errors.ts";
import type { Trace, TraceJob } from "./trace.ts";
import { SkipCounts } from "./trace.ts";

/** Where in a line a field stands. */
const FIELD = {
  job: 0,
  submit: 1,
  run: 3,
  used: 4,
  requested: 7,
  requestedTime: 8,
  user: 11,
  group: 12,
} as const;

const FIELDS_MIN = 5;

/** Returns the trace in `text`; each node has `coresPerNode` of the processors that the trace counts. */
export function readSwf(text: string, coresPerNode = 1): Result<Trace, Fault> {
  const header: Record<string, string> = {};
  const skipped = new SkipCounts();
  const jobs: TraceJob[] = [];
  for (const [at, line] of text.split("\n").entries()) {
    const trimmed = line.trim();
    if (trimmed.startsWith(";")) {
      const entry = /^;+\s*(\w+):\s*(.*)$/.exec(trimmed);
      if (entry?.[1] !== undefined) header[entry[1]] ??= entry[2] ?? "";
    } else if (trimmed !== "") {
      const fields = trimmed.split(/\s+/).map(Number);
      if (fields.length < FIELDS_MIN || fields.some(Number.isNaN)) {
        return refuse("INVALID_SPEC", `line ${at + 1} is no job in SWF: ${trimmed.slice(0, 60)}`, "give an SWF file");
      }
      const job = jobOf(fields, coresPerNode);
      if (typeof job === "string") skipped.add(job);
      else jobs.push(job);
    }
  }
  jobs.sort((a, b) => compareNumber(a.submittedAt, b.submittedAt));
  return ok({ jobs, header, skipped: skipped.toRecord() });
}

function jobOf(fields: readonly number[], coresPerNode: number): TraceJob | string {
  const field = (name: keyof typeof FIELD): number => fields[FIELD[name]] ?? -1;
  const processors = field("requested") > 0 ? field("requested") : field("used");
  if (field("submit") < 0) return "no submit time";
  if (processors <= 0) return "no processors";
  if (field("run") <= 0) return "no run time";
  return {
    name: String(field("job")),
    submittedAt: millis(field("submit") * 1_000),
    runMs: field("run") * 1_000,
    walltimeMs: millis(Math.max(0, field("requestedTime")) * 1_000),
    nodes: Math.ceil(processors / coresPerNode),
    user: field("user") >= 0 ? `u${field("user")}` : "",
    tenant: field("group") >= 0 ? `g${field("group")}` : "",
  };
}
