/** Shows the figures of a replay small enough to be worked out by hand, and the bytes of what is written. */
import { describe, expect, test } from "bun:test";
import { jobsCsv } from "../../../src/replay/jobs-csv.ts";
import { equalNodes } from "../../../src/replay/machine.ts";
import type { Metrics } from "../../../src/replay/metrics.ts";
import { metricsOf, metricsText, spreadOf } from "../../../src/replay/metrics.ts";
import { POLICIES } from "../../../src/replay/policies.ts";
import { simulate } from "../../../src/replay/simulate.ts";
import type { JobFields } from "../../fixtures/trace.ts";
import { aTrace } from "../../fixtures/trace.ts";

/** One node: the second waits 90 s, the third 95 s. */
const JOBS: readonly JobFields[] = [
  { submit: 10, run: 100, user: "ada" },
  { submit: 20, run: 5, user: "bob" },
  { submit: 20, run: 85, user: "ada" },
];

function replayed(jobs: readonly JobFields[], warmUp = 0): { readonly metrics: Metrics; readonly csv: string } {
  const trace = aTrace(jobs);
  const machine = equalNodes(1);
  const replay = simulate(trace, machine, { policy: POLICIES.fcfs, estimate: "trace" });
  const context = { name: "fcfs", policy: POLICIES.fcfs, estimate: "trace" as const, trace, machine, warmUp };
  return { metrics: metricsOf(replay, context), csv: jobsCsv(replay) };
}

describe("three jobs on one node", () => {
  const { metrics } = replayed(JOBS);

  test("use all of it from the first submission to the last end", () => {
    expect([metrics.makespan_s, metrics.utilisation]).toEqual([190, 1]);
  });

  test("wait as long as the ones before run", () => {
    expect(metrics.wait_s).toEqual({ mean: 61.666667, p50: 90, p95: 95, p99: 95, max: 95 });
  });

  test("have a slowdown that counts no run as shorter than ten seconds", () => {
    const expected = [1, (90 + 5) / 10, (95 + 85) / 85];
    expect(metrics.bounded_slowdown.max).toBe(9.5);
    expect(metrics.bounded_slowdown.mean).toBeCloseTo(expected.reduce((a, b) => a + b, 0) / 3, 6);
  });

  test("stand in a queue of two, then one", () => {
    expect(metrics.queue).toEqual({ mean: Math.round(((2 * 90 + 5) / 190) * 1e6) / 1e6, max: 2 });
  });

  test("treat one user worse than the other", () => {
    const ada = (1 + 180 / 85) / 2;
    const bob = 9.5;
    expect(metrics.users).toBe(2);
    expect(metrics.jain_index).toBeCloseTo((ada + bob) ** 2 / (2 * (ada ** 2 + bob ** 2)), 6);
  });
});

test("the warm-up is left out of the figures about jobs, not of those about the machine", () => {
  const { metrics } = replayed(JOBS, 2);
  expect([metrics.jobs, metrics.wait_s.mean, metrics.utilisation]).toEqual([1, 95, 1]);
});

test("a percentile is the least value that so many do not exceed", () => {
  const values = Array.from({ length: 200 }, (_, i) => i + 1);
  expect(spreadOf(values)).toEqual({ mean: 100.5, p50: 100, p95: 190, p99: 198, max: 200 });
  expect(spreadOf([])).toEqual({ mean: 0, p50: 0, p95: 0, p99: 0, max: 0 });
});

test("widths are counted in classes that double", () => {
  const trace = aTrace([1, 2, 3, 4, 5, 8].map((nodes, i) => ({ submit: i, run: 10, nodes })));
  const machine = equalNodes(32);
  const replay = simulate(trace, machine, { policy: POLICIES.easy, estimate: "exact" });
  const context = { name: "easy", policy: POLICIES.easy, estimate: "exact" as const, trace, machine, warmUp: 0 };
  const { by_width } = metricsOf(replay, context);
  expect(by_width.map(({ nodes, jobs }) => [nodes, jobs])).toEqual([
    ["1", 1],
    ["2", 1],
    ["3-4", 2],
    ["5-8", 2],
  ]);
});

test("each job is a line of the CSV", () => {
  expect(replayed(JOBS).csv.split("\n").slice(0, 3)).toEqual([
    "job,user,tenant,nodes,submit_s,start_s,end_s,wait_s,run_s,walltime_s,bounded_slowdown,backfilled,ended_at_walltime",
    "1,ada,,1,10,10,110,0,100,0,1,0,0",
    "2,bob,,1,20,110,115,90,5,0,9.5,0,0",
  ]);
});

test("equal replays give equal bytes", () => {
  expect(metricsText([replayed(JOBS).metrics])).toBe(metricsText([replayed(JOBS).metrics]));
});
