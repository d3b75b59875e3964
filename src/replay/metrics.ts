/**
 * What a replay amounts to, in numbers. Times are in seconds; a percentile is the least
 * value that so many per cent of the jobs do not exceed. The bounded slowdown of a job is
 * max(1, (wait + run) / max(run, 10 s)) (Feitelson et al., JSSPP 1997).
 */
import { compareNumber, compareText } from "../base/compare.ts";
import type { CostWeights } from "../core/domain/tenant.ts";
import { DEFAULT_WEIGHTS } from "../core/domain/tenant.ts";
import type { Policy } from "../core/scheduler/policy.ts";
import type { Machine } from "./machine.ts";
import type { Estimate, JobRun, Replay, Sample } from "./simulate.ts";
import type { Trace } from "./trace.ts";

/** How a quantity is spread over the jobs. */
export interface Spread {
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** The jobs of one width. */
export interface WidthMetrics {
  /** As `9-16`. */
  readonly nodes: string;
  readonly jobs: number;
  readonly wait_s: Spread;
  readonly bounded_slowdown: Spread;
}

/** The jobs of one tenant. */
export interface TenantMetrics {
  readonly tenant: string;
  readonly jobs: number;
  readonly node_hours: number;
  readonly wait_s: Spread;
  readonly bounded_slowdown: Spread;
}

/** One policy on one trace. Keys are those of the JSON, and so in snake case. */
export interface Metrics {
  readonly policy: string;
  readonly settings: Policy;
  readonly estimate: Estimate;
  readonly machine: { readonly nodes: number; readonly weights: CostWeights };
  readonly trace: { readonly jobs: number; readonly skipped: Readonly<Record<string, number>> };
  /** Jobs that the figures are about: started, and not cut off as warm-up. */
  readonly jobs: number;
  readonly unplaced: number;
  readonly ended_at_walltime: number;
  /** From the first submission to the last end. */
  readonly makespan_s: number;
  /** Processor-time held of what there was in the makespan; with whole and equal nodes that is node-time. */
  readonly utilisation: number;
  /** The most of all GPUs that was held at one time; absent where there are none. */
  readonly gpu_allocated_max?: number;
  readonly wait_s: Spread;
  readonly bounded_slowdown: Spread;
  readonly queue: { readonly mean: number; readonly max: number };
  /** Jobs that started while something submitted before them waited. */
  readonly backfilled: number;
  /** Jain's index over users of their mean bounded slowdown: 1 when all fare alike, 1/n when one bears it all. */
  readonly jain_index: number;
  readonly users: number;
  readonly by_width: readonly WidthMetrics[];
  /** Those that used most, at most twenty. */
  readonly by_tenant: readonly TenantMetrics[];
}

/** What was replayed, and how. */
export interface MetricsContext {
  readonly name: string;
  readonly policy: Policy;
  readonly estimate: Estimate;
  readonly trace: Trace;
  readonly machine: Machine;
  /** So many jobs from the first are left out of the figures about jobs. */
  readonly warmUp: number;
}

/** Returns the metrics of a replay. */
export function metricsOf(replay: Replay, context: MetricsContext): Metrics {
  const { name, policy, estimate, trace, machine } = context;
  const runs = replay.runs.slice(context.warmUp);
  const begin = replay.runs[0]?.job.submittedAt ?? 0;
  const end = replay.runs.reduce((last, { endedAt }) => Math.max(last, endedAt), begin);
  const used = replay.runs.reduce((sum, { share, startedAt, endedAt }) => sum + share * (endedAt - startedAt), 0);
  const makespan = end - begin;
  return {
    policy: name,
    settings: policy,
    estimate,
    machine: { nodes: machine.nodes.length, weights: machine.weights ?? DEFAULT_WEIGHTS },
    trace: { jobs: trace.jobs.length, skipped: trace.skipped },
    jobs: runs.length,
    unplaced: trace.jobs.length - replay.runs.length,
    ended_at_walltime: runs.filter(({ hasOutlastedWalltime }) => hasOutlastedWalltime).length,
    makespan_s: makespan / 1_000,
    utilisation: makespan > 0 ? rounded(used / makespan) : 0,
    ...gpusOf(replay, machine),
    wait_s: spreadOf(runs.map(waitOf)),
    bounded_slowdown: spreadOf(runs.map(boundedSlowdownOf)),
    queue: queueOf(replay.samples),
    backfilled: runs.filter(({ hasOvertaken }) => hasOvertaken).length,
    ...fairnessOf(runs),
    by_width: byWidth(runs),
    by_tenant: byTenant(runs),
  };
}

function gpusOf({ gpuMilliMax }: Replay, { nodes }: Machine): Pick<Metrics, "gpu_allocated_max"> {
  const all = nodes.reduce((sum, { capacity }) => sum + capacity.gpuMilli, 0);
  return all > 0 ? { gpu_allocated_max: rounded(gpuMilliMax / all) } : {};
}

/** Returns how long a job waited, in seconds. */
export const waitOf = ({ job, startedAt }: JobRun): number => (startedAt - job.submittedAt) / 1_000;

const SLOWDOWN_BOUND_S = 10;

/** Returns the bounded slowdown of a job. */
export function boundedSlowdownOf(run: JobRun): number {
  const ran = (run.endedAt - run.startedAt) / 1_000;
  return Math.max(1, (waitOf(run) + ran) / Math.max(ran, SLOWDOWN_BOUND_S));
}

/** Returns how the values are spread; all zero when there are none. */
export function spreadOf(values: readonly number[]): Spread {
  const inOrder = values.toSorted(compareNumber);
  const percentile = (share: number): number => inOrder[Math.ceil(share * inOrder.length) - 1] ?? 0;
  const mean = values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : 0;
  return {
    mean: rounded(mean),
    p50: rounded(percentile(0.5)),
    p95: rounded(percentile(0.95)),
    p99: rounded(percentile(0.99)),
    max: rounded(inOrder.at(-1) ?? 0),
  };
}

/** Six decimals say all that is true of a figure, and keep the JSON short. */
const rounded = (value: number): number => Math.round(value * 1e6) / 1e6;

/** The mean is over time. */
function queueOf(samples: readonly Sample[]): Metrics["queue"] {
  let area = 0;
  let max = 0;
  for (const [i, { at, waiting }] of samples.entries()) {
    area += waiting * ((samples[i + 1]?.at ?? at) - at);
    max = Math.max(max, waiting);
  }
  const span = (samples.at(-1)?.at ?? 0) - (samples[0]?.at ?? 0);
  return { mean: span > 0 ? rounded(area / span) : 0, max };
}

function fairnessOf(runs: readonly JobRun[]): Pick<Metrics, "jain_index" | "users"> {
  const sums = new Map<string, { jobs: number; slowdown: number }>();
  for (const run of runs) {
    const sum = sums.get(run.job.user) ?? { jobs: 0, slowdown: 0 };
    sum.jobs++;
    sum.slowdown += boundedSlowdownOf(run);
    sums.set(run.job.user, sum);
  }
  const users = [...sums].sort(([a], [b]) => compareText(a, b));
  const means = users.map(([, { jobs, slowdown }]) => slowdown / jobs);
  const sum = means.reduce((total, mean) => total + mean, 0);
  const squares = means.reduce((total, mean) => total + mean * mean, 0);
  return { jain_index: squares > 0 ? rounded((sum * sum) / (means.length * squares)) : 1, users: users.length };
}

/** Widths double from class to class. */
function byWidth(runs: readonly JobRun[]): readonly WidthMetrics[] {
  const classes = new Map<number, JobRun[]>();
  for (const run of runs) {
    let most = 1;
    while (most < run.nodes.length) most *= 2;
    const members = classes.get(most);
    if (members) members.push(run);
    else classes.set(most, [run]);
  }
  const inOrder = [...classes].sort(([a], [b]) => compareNumber(a, b));
  return inOrder.map(([most, members]) => ({
    nodes: most <= 2 ? String(most) : `${most / 2 + 1}-${most}`,
    jobs: members.length,
    wait_s: spreadOf(members.map(waitOf)),
    bounded_slowdown: spreadOf(members.map(boundedSlowdownOf)),
  }));
}

const TENANTS_MAX = 20;
const HOUR_MS = 3_600_000;

function byTenant(runs: readonly JobRun[]): readonly TenantMetrics[] {
  const tenants = new Map<string, JobRun[]>();
  for (const run of runs) {
    const members = tenants.get(run.job.tenant);
    if (members) members.push(run);
    else tenants.set(run.job.tenant, [run]);
  }
  const all = [...tenants].map(([tenant, members]) => ({
    tenant: tenant === "" ? "unknown" : tenant,
    jobs: members.length,
    node_hours: rounded(members.reduce((sum, run) => sum + nodeMs(run), 0) / HOUR_MS),
    wait_s: spreadOf(members.map(waitOf)),
    bounded_slowdown: spreadOf(members.map(boundedSlowdownOf)),
  }));
  const byUse = (a: TenantMetrics, b: TenantMetrics): number =>
    compareNumber(b.node_hours, a.node_hours) || compareText(a.tenant, b.tenant);
  return all.sort(byUse).slice(0, TENANTS_MAX);
}

const nodeMs = ({ nodes, startedAt, endedAt }: JobRun): number => nodes.length * (endedAt - startedAt);

/** Returns the metrics as the text of a file: equal replays give equal bytes. */
export const metricsText = (metrics: readonly Metrics[]): string => `${JSON.stringify(metrics, null, 2)}\n`;
