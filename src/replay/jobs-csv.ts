/** One line for each job of a replay, for spreadsheets and notebooks. Times are in seconds of the trace. */
import { boundedSlowdownOf, waitOf } from "./metrics.ts";
import type { JobRun, Replay } from "./simulate.ts";

type Column = readonly [name: string, value: (run: JobRun) => string | number];

const COLUMNS: readonly Column[] = [
  ["job", ({ job }) => job.name],
  ["user", ({ job }) => job.user],
  ["tenant", ({ job }) => job.tenant],
  ["nodes", ({ nodes }) => nodes.length],
  ["submit_s", ({ job }) => job.submittedAt / 1_000],
  ["start_s", ({ startedAt }) => startedAt / 1_000],
  ["end_s", ({ endedAt }) => endedAt / 1_000],
  ["wait_s", (run) => waitOf(run)],
  ["run_s", ({ startedAt, endedAt }) => (endedAt - startedAt) / 1_000],
  ["walltime_s", ({ job }) => job.walltimeMs / 1_000],
  ["bounded_slowdown", (run) => Math.round(boundedSlowdownOf(run) * 1e6) / 1e6],
  ["backfilled", ({ hasOvertaken }) => (hasOvertaken ? 1 : 0)],
  ["preempted", ({ preemptedCount }) => preemptedCount],
  ["estimated_start_s", ({ estimatedStart }) => (estimatedStart === undefined ? "" : estimatedStart / 1_000)],
  ["ended_at_walltime", ({ hasOutlastedWalltime }) => (hasOutlastedWalltime ? 1 : 0)],
];

/** Returns the CSV (RFC 4180, lines ended by LF), in the order of submission. */
export function jobsCsv({ runs }: Replay): string {
  const lines = runs.map((run) => COLUMNS.map(([, value]) => quoted(String(value(run)))).join(","));
  return `${[COLUMNS.map(([name]) => name).join(","), ...lines].join("\n")}\n`;
}

const quoted = (text: string): string => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
