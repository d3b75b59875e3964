/** The metrics of several policies as a table for people. */
import type { Metrics } from "../../replay/metrics.ts";
import type { Column } from "../render/table.ts";
import { renderTable } from "../render/table.ts";

const COLUMNS: readonly Column<Metrics>[] = [
  { title: "POLICY", value: ({ policy }) => policy },
  { title: "JOBS", value: ({ jobs }) => String(jobs), isNumber: true },
  { title: "UNPLACED", value: ({ unplaced }) => String(unplaced), isNumber: true, dropRank: 4 },
  { title: "UTILISATION", value: ({ utilisation }) => `${(100 * utilisation).toFixed(2)} %`, isNumber: true },
  { title: "GPUS", value: gpus, isNumber: true, dropRank: 7 },
  { title: "MEAN WAIT", value: ({ wait_s }) => seconds(wait_s.mean), isNumber: true },
  { title: "P50", value: ({ wait_s }) => seconds(wait_s.p50), isNumber: true, dropRank: 2 },
  { title: "P95", value: ({ wait_s }) => seconds(wait_s.p95), isNumber: true, dropRank: 3 },
  { title: "P99", value: ({ wait_s }) => seconds(wait_s.p99), isNumber: true, dropRank: 1 },
  { title: "MEAN BSLD", value: ({ bounded_slowdown }) => bounded_slowdown.mean.toFixed(2), isNumber: true },
  { title: "BACKFILLED", value: ({ backfilled }) => String(backfilled), isNumber: true, dropRank: 5 },
  { title: "MAKESPAN", value: ({ makespan_s }) => seconds(makespan_s), isNumber: true, dropRank: 6 },
];

const seconds = (value: number): string => `${Math.round(value)} s`;

function gpus({ gpu_allocated_max }: Metrics): string {
  return gpu_allocated_max === undefined ? "-" : `${(100 * gpu_allocated_max).toFixed(2)} %`;
}

/** Returns the table, one line for each policy. */
export const summaryTable = (all: readonly Metrics[], width: number | undefined): string =>
  renderTable(all, COLUMNS, width);
