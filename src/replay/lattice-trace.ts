/**
 * The history that Lattice itself exports, as one JSON document: the machine, and every
 * allocation that ran, with what it asked for and when it waited and ran. Written by
 * `lattice admin trace export`, read by rm-replay; both sides are here. Times are in
 * milliseconds since 1970.
 */
import { millis } from "../base/brand.ts";
import { compareNumber } from "../base/compare.ts";
import type { Result } from "../base/result.ts";
import { ok } from "../base/result.ts";
import type { Fault } from "../core/domain/errors.ts";
import { refuse } from "../core/domain/errors.ts";
import type { Amount } from "../core/domain/resources.ts";
import type { Machine, MachineNode } from "./machine.ts";
import type { Trace, TraceJob } from "./trace.ts";
import { SkipCounts } from "./trace.ts";

/** One allocation of a history. */
export interface HistoryEntry {
  readonly id: string;
  readonly state: string;
  readonly submit_ms: number;
  readonly start_ms: number;
  readonly end_ms: number;
  /** 0 for none. */
  readonly walltime_ms: number;
  readonly nodes: number;
  /** Of each node, where it held a share; absent for whole nodes. */
  readonly share?: { readonly cpus: number; readonly memory_bytes: number; readonly gpu_milli: number };
  readonly gpu_type: string;
  readonly user: string;
  readonly tenant: string;
  readonly vcluster: string;
  readonly priority: number;
}

/** The name in the document by which its reader knows it. */
export const HISTORY_FORMAT = "lattice-history-1";
const NEXT = "give the file that `lattice admin trace export` wrote";

/** Returns the document, one allocation a line, in the order of submission. Equal histories give equal bytes. */
export function historyText(nodes: readonly MachineNode[], entries: readonly HistoryEntry[]): string {
  const inOrder = entries.toSorted((a, b) => compareNumber(a.submit_ms, b.submit_ms));
  const lines = (items: readonly unknown[]): string => items.map((item) => `  ${JSON.stringify(item)}`).join(",\n");
  return `{
"format": "${HISTORY_FORMAT}",
"nodes": [
${lines(nodes)}
],
"allocations": [
${lines(inOrder)}
]
}
`;
}

/** Returns the jobs of a history. */
export function readHistory(text: string): Result<Trace, Fault> {
  const document = documentOf(text);
  if (!document.ok) return document;
  const skipped = new SkipCounts();
  const jobs: TraceJob[] = [];
  for (const [at, entry] of listOf(document.value.get("allocations")).entries()) {
    const job = jobOf(fieldsOf(entry));
    if (job === undefined) return refuse("INVALID_SPEC", `allocation ${at + 1} of the history lacks a field`, NEXT);
    if (job.runMs <= 0 || job.nodes === 0) skipped.add("it never ran");
    else jobs.push(job);
  }
  jobs.sort((a, b) => compareNumber(a.submittedAt, b.submittedAt));
  return ok({ jobs, header: {}, skipped: skipped.toRecord() });
}

/** Returns the machine of a history. */
export function readHistoryMachine(text: string): Result<Machine, Fault> {
  const document = documentOf(text);
  if (!document.ok) return document;
  const nodes: MachineNode[] = [];
  for (const entry of listOf(document.value.get("nodes"))) {
    const node = nodeOf(fieldsOf(entry));
    if (!node) return refuse("INVALID_SPEC", "a node of the history lacks a field", NEXT);
    nodes.push(node);
  }
  const sharesNodes = listOf(document.value.get("allocations")).some((entry) => fieldsOf(entry).has("share"));
  return ok({ nodes, sharesNodes });
}

type Fields = ReadonlyMap<string, unknown>;

function documentOf(text: string): Result<Fields, Fault> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse("INVALID_SPEC", "the file is no JSON", NEXT);
  }
  const fields = fieldsOf(value);
  if (fields.get("format") === HISTORY_FORMAT) return ok(fields);
  return refuse("INVALID_SPEC", `the file is no history of the format ${HISTORY_FORMAT}`, NEXT);
}

function jobOf(fields: Fields): TraceJob | undefined {
  const [submit, start, end] = ["submit_ms", "start_ms", "end_ms"].map((key) => numberOf(fields.get(key)));
  const nodes = numberOf(fields.get("nodes"));
  const name = fields.get("id");
  if (submit === undefined || start === undefined || end === undefined || nodes === undefined) return undefined;
  if (typeof name !== "string") return undefined;
  const gpuType = textOf(fields.get("gpu_type"));
  const perNode = fields.has("share") ? amountOf(fieldsOf(fields.get("share"))) : undefined;
  return {
    name,
    submittedAt: millis(submit),
    runMs: end - start,
    walltimeMs: millis(numberOf(fields.get("walltime_ms")) ?? 0),
    nodes,
    ...(perNode && { perNode }),
    ...(gpuType !== "" && { gpuType }),
    user: textOf(fields.get("user")),
    tenant: textOf(fields.get("tenant")),
    priority: numberOf(fields.get("priority")) ?? 5,
  };
}

function nodeOf(fields: Fields): MachineNode | undefined {
  const name = fields.get("name");
  const capacity = fieldsOf(fields.get("capacity"));
  const [cpus, memoryBytes, gpuMilli, group] = ["cpus", "memoryBytes", "gpuMilli", "group"].map((key) =>
    numberOf(capacity.get(key)),
  );
  if (typeof name !== "string" || cpus === undefined || memoryBytes === undefined) return undefined;
  const features = listOf(capacity.get("features")).filter((feature) => typeof feature === "string");
  const gpuType = textOf(capacity.get("gpuType"));
  return { name, capacity: { cpus, memoryBytes, gpuMilli: gpuMilli ?? 0, gpuType, features, group: group ?? 0 } };
}

const amountOf = (fields: Fields): Amount => ({
  cpus: numberOf(fields.get("cpus")) ?? 0,
  memoryBytes: numberOf(fields.get("memory_bytes")) ?? 0,
  gpuMilli: numberOf(fields.get("gpu_milli")) ?? 0,
});

const fieldsOf = (value: unknown): Fields =>
  new Map(typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : []);
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const numberOf = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
