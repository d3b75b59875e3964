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

/** Two nodes: one tenant holds one for 100 s while a wide job of another waits, and then has both for 50 s. */
const WIDE: readonly JobFields[] = [
  { submit: 0, run: 100, tenant: "red" },
  { submit: 0, run: 50, nodes: 2, tenant: "blue" },
];

describe("a wide job behind a narrow one", () => {
  const trace = aTrace(WIDE);
  const machine = equalNodes(2, 2);
  const options = { policy: POLICIES.easy, estimate: "trace" as const, estimatesTaken: 2 };
  const replay = simulate(trace, machine, options);
  const metrics = metricsOf(replay, { name: "easy", ...options, trace, machine, warmUp: 0 });

  test("leaves half of the machine idle while it waits", () => {
    expect(metrics.fragmentation).toBeCloseTo((100 * 0.5) / 150, 6);
  });

  test("spans no more groups than it has to", () => {
    expect(metrics.group_span).toBe(1);
  });

  test("gives its tenant as much as the other has", () => {
    expect(metrics.share_deviation).toBe(0);
    const alone = simulate(aTrace([{ submit: 0, run: 300, tenant: "red" }, ...WIDE]), machine, options);
    // Red has 400 of 500 node seconds, which is 30 % more than half.
    const context = { name: "easy", ...options, trace, machine, warmUp: 0 };
    expect(metricsOf(alone, context).share_deviation).toBeCloseTo(0.3, 6);
  });

  test("starts when its explanation said that it would", () => {
    expect(metrics.estimate_error_s).toEqual({ mean: 0, p50: 0, p95: 0, p99: 0, max: 0, samples: 1 });
  });
});

test("the allocated part of the GPUs is that of all, at most and in the mean", () => {
  const [node] = equalNodes(1).nodes;
  if (!node) throw new Error("a machine of one node has one");
  const machine = { nodes: [{ ...node, capacity: { ...node.capacity, gpuMilli: 4_000 } }], sharesNodes: true };
  const perNode = { cpus: 1, memoryBytes: 0, gpuMilli: 1_000 };
  const plain = aTrace([
    { submit: 0, run: 30 },
    { submit: 60, run: 40 },
  ]);
  const trace = { ...plain, jobs: plain.jobs.map((job) => ({ ...job, perNode })) };
  const options = { policy: POLICIES.easy, estimate: "trace" as const };
  const metrics = metricsOf(simulate(trace, machine, options), { name: "easy", ...options, trace, machine, warmUp: 0 });
  expect([metrics.gpu_allocated_max, metrics.gpu_allocated_mean]).toEqual([0.25, 0.175]);
});

test("each job is a line of the CSV", () => {
  expect(replayed(JOBS).csv.split("\n").slice(0, 3)).toEqual([
    "job,user,tenant,nodes,submit_s,start_s,end_s,wait_s,run_s,walltime_s,bounded_slowdown,backfilled,preempted,estimated_start_s,ended_at_walltime",
    "1,ada,,1,10,10,110,0,100,0,1,0,0,,0",
    "2,bob,,1,20,110,115,90,5,0,9.5,0,0,,0",
  ]);
});

test("equal replays give equal bytes", () => {
  expect(metricsText([replayed(JOBS).metrics])).toBe(metricsText([replayed(JOBS).metrics]));
});
