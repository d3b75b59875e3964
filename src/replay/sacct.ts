/**
 * Reads what `sacct --parsable2` (or `-P`) prints: a title line, then one record a line,
 * fields between `|`. Fields may come in any order; steps of jobs (`12.0`, `12.batch`) and
 * jobs that never ran are left out. Times without a zone are taken as UTC.
 */
import { millis } from "../base/brand.ts";
import { compareNumber } from "../base/compare.ts";
import type { Result } from "../base/result.ts";
import { ok } from "../base/result.ts";
import type { Fault } from "../core/domain/errors.ts";
import { refuse } from "../core/domain/errors.ts";
import type { Trace, TraceJob } from "./trace.ts";
import { SkipCounts } from "./trace.ts";

/** Of each line the first field that is there and filled in counts. */
const FIELDS = {
  id: ["JobID", "JobIDRaw"],
  submit: ["Submit"],
  seconds: ["ElapsedRaw"],
  elapsed: ["Elapsed"],
  limitMinutes: ["TimelimitRaw"],
  limit: ["Timelimit"],
  nodes: ["AllocNodes", "NNodes", "ReqNodes"],
  user: ["User", "UID"],
  tenant: ["Account"],
} as const;

type Field = keyof typeof FIELDS;

const ASK = "ask for: sacct -P --format=JobID,User,Account,Submit,ElapsedRaw,TimelimitRaw,NNodes,State";

/** Returns the trace in `text`. */
export function readSacct(text: string): Result<Trace, Fault> {
  const lines = text.split(/\r?\n/);
  const titles = lines[0]?.split("|") ?? [];
  const missing = missingField(titles);
  if (missing !== undefined) return refuse("INVALID_SPEC", `the title line has no ${missing}`, ASK);
  const skipped = new SkipCounts();
  const jobs: TraceJob[] = [];
  for (const [at, line] of lines.entries()) {
    if (at === 0 || line.trim() === "") continue;
    const cells = line.split("|");
    const field = (name: Field): string => {
      const places = FIELDS[name].map((title) => titles.indexOf(title)).filter((place) => place >= 0);
      return places.map((place) => cells[place]?.trim() ?? "").find((cell) => cell !== "") ?? "";
    };
    const job = jobOf(field);
    if (job === undefined) {
      return refuse("INVALID_SPEC", `line ${at + 1} is no record of sacct: ${line.slice(0, 60)}`, ASK);
    }
    if (typeof job === "string") skipped.add(job);
    else jobs.push(job);
  }
  jobs.sort((a, b) => compareNumber(a.submittedAt, b.submittedAt));
  return ok({ jobs, header: {}, skipped: skipped.toRecord() });
}

function missingField(titles: readonly string[]): string | undefined {
  const has = (name: Field): boolean => FIELDS[name].some((title) => titles.includes(title));
  if (!has("id")) return "JobID";
  if (!has("submit")) return "Submit";
  if (!has("seconds") && !has("elapsed")) return "ElapsedRaw";
  return has("nodes") ? undefined : "NNodes";
}

/** Returns a job, why the line is left out, or undefined when it makes no sense. */
function jobOf(field: (name: Field) => string): TraceJob | string | undefined {
  const id = field("id");
  if (id.includes(".")) return "step of a job";
  const submitted = timeOf(field("submit"));
  const seconds = field("seconds") === "" ? durationOf(field("elapsed")) : Number(field("seconds"));
  const nodes = Number(field("nodes"));
  if (id === "" || submitted === undefined || seconds === undefined || !(seconds >= 0) || !(nodes >= 0))
    return undefined;
  if (seconds === 0) return "no run time";
  if (nodes === 0) return "no nodes";
  const minutes = Number(field("limitMinutes"));
  const limit = minutes > 0 ? minutes * 60 : (durationOf(field("limit")) ?? 0);
  return {
    name: id,
    submittedAt: millis(submitted),
    runMs: seconds * 1_000,
    walltimeMs: millis(limit * 1_000),
    nodes,
    user: field("user"),
    tenant: field("tenant"),
  };
}

function timeOf(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(text)) return undefined;
  const time = Date.parse(`${text}Z`);
  return Number.isNaN(time) ? undefined : time;
}

/** `[D-]HH:MM:SS` or `MM:SS`, in seconds; UNLIMITED and the like have none. */
function durationOf(text: string): number | undefined {
  const parts = /^(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)(?:\.\d+)?$/.exec(text);
  if (!parts) return undefined;
  const [, days, hours, minutes, seconds] = parts;
  return ((Number(days ?? 0) * 24 + Number(hours ?? 0)) * 60 + Number(minutes)) * 60 + Number(seconds);
}
