/** What the report plots: replays boiled down to a few hundred points each, so that a page stays small. */
import { assert } from "../../base/assert.ts";
import { compareNumber } from "../../base/compare.ts";
import type { Machine } from "../machine.ts";
import { boundedSlowdownOf, waitOf } from "../metrics.ts";
import type { JobRun, Replay, Sample } from "../simulate.ts";

/** A point of a line. */
export type Point = readonly [x: number, y: number];

/** One job on nodes that stand side by side. */
export interface GanttBar {
  readonly job: string;
  /** In hours of the trace. */
  readonly from: number;
  readonly to: number;
  readonly firstNode: number;
  readonly nodes: number;
  readonly hasOvertaken: boolean;
}

/** What is plotted of one policy. */
export interface PolicySeries {
  readonly name: string;
  /** Per cent of the processors over hours of the trace. */
  readonly utilisation: readonly Point[];
  /** Waiting jobs over hours of the trace. */
  readonly queue: readonly Point[];
  /** Seconds that so many per cent of the jobs do not exceed. */
  readonly waits: readonly Point[];
  readonly slowdowns: readonly Point[];
  readonly gantt: readonly GanttBar[];
  /** Bars that there was no room for. */
  readonly ganttLeftOut: number;
}

/** A window of time, in hours of the trace. */
export interface HourWindow {
  readonly from: number;
  readonly to: number;
}

const HOUR_MS = 3_600_000;
const BUCKETS = 400;
const QUANTILES = 200;
const BARS_MAX = 3_000;

/** Returns what is plotted of a replay. */
export function seriesOf(
  replay: Replay,
  machine: Machine,
  { name, window }: { readonly name: string; readonly window: HourWindow },
): PolicySeries {
  const { runs, samples } = replay;
  const bars = barsOf(runs, machine, window);
  return {
    name,
    utilisation: averaged(samples, ({ busy }) => busy * 100),
    queue: averaged(samples, ({ waiting }) => waiting),
    waits: quantilesOf(runs.map(waitOf)),
    slowdowns: quantilesOf(runs.map(boundedSlowdownOf)),
    gantt: bars.slice(0, BARS_MAX),
    ganttLeftOut: Math.max(0, bars.length - BARS_MAX),
  };
}

/** Returns a day around the longest queue, or all of a shorter trace. */
export function busiestDay({ samples }: Replay): HourWindow {
  const first = (samples[0]?.at ?? 0) / HOUR_MS;
  const last = (samples.at(-1)?.at ?? 0) / HOUR_MS;
  let peak = samples[0];
  for (const sample of samples) if (sample.waiting > (peak?.waiting ?? 0)) peak = sample;
  const from = Math.max(first, Math.min(last - 24, (peak?.at ?? 0) / HOUR_MS - 12));
  return { from: Math.floor(from), to: Math.ceil(Math.min(last, from + 24)) };
}

/** Means over equal spans, weighed by time. */
function averaged(samples: readonly Sample[], of: (sample: Sample) => number): readonly Point[] {
  const begin = samples[0]?.at ?? 0;
  const width = ((samples.at(-1)?.at ?? 0) - begin) / BUCKETS;
  if (width <= 0) return [];
  const sums = Array.from({ length: BUCKETS }, () => 0);
  for (const [i, sample] of samples.entries()) {
    const until = samples[i + 1]?.at ?? sample.at;
    const value = of(sample);
    for (let at: number = sample.at; at < until; ) {
      const bucket = Math.min(BUCKETS - 1, Math.floor((at - begin) / width));
      const end = bucket === BUCKETS - 1 ? until : Math.min(until, begin + (bucket + 1) * width);
      sums[bucket] = (sums[bucket] ?? 0) + value * (end - at);
      // A step so small that it is lost in rounding must not stop the walk.
      at = end > at ? end : until;
    }
  }
  return sums.map((sum, i) => [rounded((begin + (i + 0.5) * width) / HOUR_MS), rounded(sum / width)]);
}

function quantilesOf(values: readonly number[]): readonly Point[] {
  if (values.length === 0) return [];
  const inOrder = values.toSorted(compareNumber);
  return Array.from({ length: QUANTILES + 1 }, (_, i): Point => {
    const at = Math.min(inOrder.length - 1, Math.max(0, Math.ceil((i / QUANTILES) * inOrder.length) - 1));
    return [rounded(inOrder[at] ?? 0), (100 * i) / QUANTILES];
  });
}

function barsOf(runs: readonly JobRun[], machine: Machine, { from, to }: HourWindow): readonly GanttBar[] {
  const places = new Map(machine.nodes.map(({ name }, place) => [name, place]));
  return runs.flatMap((run) => {
    const [start, end] = [run.startedAt / HOUR_MS, run.endedAt / HOUR_MS];
    if (end <= from || start >= to) return [];
    const span = { from: rounded(Math.max(from, start)), to: rounded(Math.min(to, end)) };
    const common = { job: run.job.name, hasOvertaken: run.hasOvertaken, ...span };
    return sideBySide(run.nodes.map((name) => placeOf(places, name))).map((part) => ({ ...common, ...part }));
  });
}

function placeOf(places: ReadonlyMap<string, number>, name: string): number {
  const place = places.get(name);
  assert(place !== undefined, `the machine has no node ${name}`);
  return place;
}

/** Groups places that follow each other. */
function sideBySide(places: readonly number[]): readonly Pick<GanttBar, "firstNode" | "nodes">[] {
  const parts: { firstNode: number; nodes: number }[] = [];
  for (const place of places.toSorted(compareNumber)) {
    const last = parts.at(-1);
    if (last && last.firstNode + last.nodes === place) last.nodes++;
    else parts.push({ firstNode: place, nodes: 1 });
  }
  return parts;
}

const rounded = (value: number): number => Math.round(value * 1e4) / 1e4;
