/**
 * Reads the CSV files of the openb GPU trace (Weng et al., USENIX ATC 2023): pods with
 * processors, memory and GPUs, whole or in thousandths of one, and the nodes they ran on.
 * Processors are counted in thousandths, as the trace does.
 */
import { millis } from "../base/brand.ts";
import { compareNumber } from "../base/compare.ts";
import type { Prng } from "../base/prng.ts";
import type { Result } from "../base/result.ts";
import { ok } from "../base/result.ts";
import type { Fault } from "../core/domain/errors.ts";
import { refuse } from "../core/domain/errors.ts";
import type { Machine } from "./machine.ts";
import type { Trace, TraceJob } from "./trace.ts";
import { SkipCounts } from "./trace.ts";

const MEBIBYTE = 1024 * 1024;
const POD_FIELDS = ["name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli"];
const NODE_FIELDS = ["sn", "cpu_milli", "memory_mib", "gpu", "model"];

/** The cells of one line by field; empty where there is none. */
type Row = (field: string) => string;

/** Returns the pods as jobs of one node each. */
export function readOpenbPods(text: string): Result<Trace, Fault> {
  const rows = readRows(text, POD_FIELDS);
  if (!rows.ok) return rows;
  const skipped = new SkipCounts();
  const jobs: TraceJob[] = [];
  for (const row of rows.value) {
    const job = jobOf(row);
    if (typeof job === "string") skipped.add(job);
    else jobs.push(job);
  }
  jobs.sort((a, b) => compareNumber(a.submittedAt, b.submittedAt));
  return ok({ jobs, header: {}, skipped: skipped.toRecord() });
}

/** Returns the nodes as a machine whose nodes are shared. */
export function readOpenbNodes(text: string): Result<Machine, Fault> {
  const rows = readRows(text, NODE_FIELDS);
  if (!rows.ok) return rows;
  const nodes = rows.value.map((row) => ({
    name: row("sn"),
    capacity: {
      cpus: Number(row("cpu_milli")),
      memoryBytes: Number(row("memory_mib")) * MEBIBYTE,
      gpuMilli: Number(row("gpu")) * 1_000,
      gpuType: row("model"),
      features: [],
      group: 0,
    },
  }));
  return ok({ nodes, sharesNodes: true });
}

/**
 * Returns arrivals alone, one a second: the jobs in an order drawn at random, then others
 * drawn from them, until they have asked for `load` times the GPUs of the machine. All end
 * together after the last, so what is placed then is how well the machine was packed.
 */
export function arrivalsOnly(
  trace: Trace,
  machine: Machine,
  { load, draw }: { readonly load: number; readonly draw: Prng },
): Trace {
  const capacity = machine.nodes.reduce((sum, node) => sum + node.capacity.gpuMilli, 0);
  const order = shuffled(trace.jobs, draw);
  const drawn: TraceJob[] = [];
  for (let asked = 0; asked < load * capacity; ) {
    const job = order[drawn.length] ?? order[Math.floor(draw() * order.length)];
    if (!job) break;
    asked += job.perNode?.gpuMilli ?? 0;
    drawn.push(job);
  }
  const jobs = drawn.map((job, at) => ({
    ...job,
    name: `${job.name}-${at}`,
    submittedAt: millis(at * 1_000),
    runMs: (drawn.length - at) * 1_000,
  }));
  return { ...trace, jobs };
}

function shuffled(jobs: readonly TraceJob[], draw: Prng): readonly TraceJob[] {
  return jobs
    .map((job) => ({ job, key: draw() }))
    .sort((a, b) => compareNumber(a.key, b.key))
    .map(({ job }) => job);
}

function jobOf(row: Row): TraceJob | string {
  const types = row("gpu_spec").split("|").filter(Boolean);
  if (types.length > 1) return "several GPU types will do";
  const gpus = Number(row("num_gpu"));
  const created = Number(row("creation_time"));
  const deleted = Number(row("deletion_time"));
  return {
    name: row("name"),
    submittedAt: millis(created * 1_000),
    runMs: Math.max(1, (deleted - created) * 1_000),
    walltimeMs: millis(0),
    nodes: 1,
    perNode: {
      cpus: Number(row("cpu_milli")),
      memoryBytes: Number(row("memory_mib")) * MEBIBYTE,
      gpuMilli: gpus === 1 ? Number(row("gpu_milli")) : gpus * 1_000,
    },
    ...(types[0] !== undefined && { gpuType: types[0] }),
    user: "",
    tenant: "",
  };
}

const NEXT = "give a file of the openb trace";

/** Reads a CSV without quotes: every field must be there, and a number where it is none of the names. */
function readRows(text: string, fields: readonly string[]): Result<readonly Row[], Fault> {
  const [title = "", ...lines] = text.trim().split(/\r?\n/);
  const titles = title.split(",");
  const missing = fields.find((field) => !titles.includes(field));
  if (missing !== undefined) return refuse("INVALID_SPEC", `the title line has no ${missing}`, NEXT);
  const rows: Row[] = [];
  for (const [at, line] of lines.entries()) {
    const cells = line.split(",");
    const row: Row = (field) => cells[titles.indexOf(field)] ?? "";
    const wrong = fields.find((field) => !NAMES.has(field) && !/^\d+(?:\.\d+)?$/.test(row(field)));
    if (wrong !== undefined) return refuse("INVALID_SPEC", `line ${at + 2}: ${wrong} is "${row(wrong)}"`, NEXT);
    rows.push(row);
  }
  return ok(rows);
}

const NAMES: ReadonlySet<string> = new Set(["name", "sn", "model"]);
