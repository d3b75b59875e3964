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
  /** The most of all GPUs that was held at one time, and the mean over time; absent where there are none. */
  readonly gpu_allocated_max?: number;
  readonly gpu_allocated_mean?: number;
  /** Of the processors' time, what was idle while something waited: the loss of capacity. */
  readonly fragmentation: number;
  /** Dragonfly groups that jobs of several nodes span, over the fewest possible; absent where there is one group. */
  readonly group_span?: number;
  /** How often work made room for work of a higher class. */
  readonly preemptions: number;
  /** Half of what the tenants' parts of the use differ from equal parts: 0 when all use alike, near 1 when one uses all. */
  readonly share_deviation: number;
  /** How far the start that `explain` estimated after the submission was off, of samples that waited. */
  readonly estimate_error_s: Spread & { readonly samples: number };
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
    ...placementOf(replay, machine),
    preemptions: replay.runs.reduce((sum, { preemptedCount }) => sum + preemptedCount, 0),
    share_deviation: shareDeviationOf(replay.runs),
    estimate_error_s: estimateErrorOf(runs),
    wait_s: spreadOf(runs.map(waitOf)),
    bounded_slowdown: spreadOf(runs.map(boundedSlowdownOf)),
    queue: queueOf(replay.samples),
    backfilled: runs.filter(({ hasOvertaken }) => hasOvertaken).length,
    ...fairnessOf(runs),
    by_width: byWidth(runs),
    by_tenant: byTenant(runs),
  };
}

function gpusOf(
  { gpuMilliMax, samples }: Replay,
  { nodes }: Machine,
): Pick<Metrics, "gpu_allocated_max" | "gpu_allocated_mean"> {
  const all = nodes.reduce((sum, { capacity }) => sum + capacity.gpuMilli, 0);
  if (all === 0) return {};
  const mean = meanOver(samples, ({ gpusBusy }) => gpusBusy);
  return { gpu_allocated_max: rounded(gpuMilliMax / all), gpu_allocated_mean: rounded(mean) };
}

function placementOf({ runs, samples }: Replay, { nodes }: Machine): Pick<Metrics, "fragmentation" | "group_span"> {
  const fragmentation = rounded(meanOver(samples, ({ busy, waiting }) => (waiting > 0 ? 1 - busy : 0)));
  const sizes = new Map<number, number>();
  const groupOf = new Map<string, number>();
  for (const { name, capacity } of nodes) {
    groupOf.set(name, capacity.group);
    sizes.set(capacity.group, (sizes.get(capacity.group) ?? 0) + 1);
  }
  if (sizes.size < 2) return { fragmentation };
  const inOrder = [...sizes.values()].sort((a, b) => compareNumber(b, a));
  const spans = runs
    .filter((run) => run.nodes.length > 1)
    .map((run) => new Set(run.nodes.map((name) => groupOf.get(name))).size / fewest(inOrder, run.nodes.length));
  return { fragmentation, group_span: spreadOf(spans).mean };
}

/** Returns how many of the largest groups have so many nodes together. */
function fewest(sizes: readonly number[], nodes: number): number {
  let left = nodes;
  let groups = 0;
  while (left > 0 && groups < sizes.length) left -= sizes[groups++] ?? 0;
  return Math.max(1, groups);
}

function shareDeviationOf(runs: readonly JobRun[]): number {
  const used = new Map<string, number>();
  for (const run of runs) used.set(run.job.tenant, (used.get(run.job.tenant) ?? 0) + nodeMs(run));
  const inOrder = [...used].sort(([a], [b]) => compareText(a, b)).map(([, ms]) => ms);
  const all = inOrder.reduce((sum, ms) => sum + ms, 0);
  if (all === 0) return 0;
  return rounded(inOrder.reduce((sum, ms) => sum + Math.abs(ms / all - 1 / inOrder.length), 0) / 2);
}

function estimateErrorOf(runs: readonly JobRun[]): Metrics["estimate_error_s"] {
  const errors = runs.flatMap(({ startedAt, estimatedStart }) =>
    estimatedStart === undefined ? [] : [Math.abs(startedAt - estimatedStart) / 1_000],
  );
  return { ...spreadOf(errors), samples: errors.length };
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

function queueOf(samples: readonly Sample[]): Metrics["queue"] {
  const max = samples.reduce((most, { waiting }) => Math.max(most, waiting), 0);
  return { mean: rounded(meanOver(samples, ({ waiting }) => waiting)), max };
}

/** The mean over time; a sample holds until the next. */
function meanOver(samples: readonly Sample[], of: (sample: Sample) => number): number {
  let area = 0;
  for (const [i, sample] of samples.entries()) area += of(sample) * ((samples[i + 1]?.at ?? sample.at) - sample.at);
  const span = (samples.at(-1)?.at ?? 0) - (samples[0]?.at ?? 0);
  return span > 0 ? area / span : 0;
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
