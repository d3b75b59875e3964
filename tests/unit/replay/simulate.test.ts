/** Shows what a replay does with small traces: who starts when, by each policy, and that equal runs are equal. */
import { describe, expect, test } from "bun:test";
import { millis } from "../../../src/base/brand.ts";
import { createPrng } from "../../../src/base/prng.ts";
import { equalNodes } from "../../../src/replay/machine.ts";
import type { PolicyName } from "../../../src/replay/policies.ts";
import { POLICIES } from "../../../src/replay/policies.ts";
import type { Estimate, Replay } from "../../../src/replay/simulate.ts";
import { simulate } from "../../../src/replay/simulate.ts";
import type { JobFields } from "../../fixtures/trace.ts";
import { aTrace } from "../../fixtures/trace.ts";

function replay(
  jobs: readonly JobFields[],
  nodes: number,
  name: PolicyName = "easy",
  estimate: Estimate = "trace",
): Replay {
  return simulate(aTrace(jobs), equalNodes(nodes), { policy: POLICIES[name], estimate });
}

const starts = ({ runs }: Replay): readonly number[] => runs.map(({ startedAt }) => startedAt / 1_000);

/** On four nodes: one runs, a wide one waits for it, a short one fits beside, a long one would be in the way. */
const QUEUE: readonly JobFields[] = [
  { submit: 0, run: 100, nodes: 2 },
  { submit: 1, run: 50, nodes: 4 },
  { submit: 2, run: 98, nodes: 1 },
  { submit: 3, run: 200, nodes: 1 },
];

describe("the start times of a small queue", () => {
  test.each([
    ["fcfs", [0, 100, 150, 150]],
    ["easy", [0, 100, 2, 150]],
    ["conservative", [0, 100, 2, 150]],
    ["lattice", [0, 100, 2, 150]],
  ] as const)("by %s", (name, expected) => {
    expect(starts(replay(QUEUE, 4, name))).toEqual([...expected]);
  });
});

test("what ends at a time frees its nodes for what arrives at that time", () => {
  const { runs, samples } = replay(
    [
      { submit: 0, run: 10 },
      { submit: 10, run: 5 },
    ],
    1,
  );
  expect(runs.map(({ startedAt, nodes }) => [startedAt, nodes])).toEqual([
    [0, ["n0"]],
    [10_000, ["n0"]],
  ] as never);
  expect(samples.map(({ at, busy }) => [at, busy])).toEqual([
    [0, 1],
    [10_000, 1],
    [15_000, 0],
  ] as never);
});

test("a job that outlasts what it asked for is ended then, unless run times are taken as estimates", () => {
  const jobs = [{ submit: 0, run: 30, walltime: 20 }];
  expect(replay(jobs, 1).runs[0]).toMatchObject({ endedAt: 20_000, hasOutlastedWalltime: true });
  expect(replay(jobs, 1, "easy", "exact").runs[0]).toMatchObject({ endedAt: 30_000, hasOutlastedWalltime: false });
});

test("estimates that are too long keep short gaps empty until the nodes come free early", () => {
  const jobs = [
    { submit: 0, run: 10, walltime: 100, nodes: 1 },
    { submit: 1, run: 10, walltime: 10, nodes: 2 },
    { submit: 2, run: 200, walltime: 200, nodes: 1 },
  ];
  expect(starts(replay(jobs, 2))).toEqual([0, 10, 20]);
});

test("jobs wider than the machine are left out, and the rest goes on", () => {
  const { runs, unplaced } = replay(
    [
      { submit: 0, run: 9, nodes: 3 },
      { submit: 1, run: 9, nodes: 2 },
    ],
    2,
  );
  expect([runs.length, unplaced.length]).toEqual([1, 0]);
});

test("equal runs end in equal states, and what has overtaken says so", () => {
  const [one, other] = [replay(QUEUE, 4), replay(QUEUE, 4)];
  expect(one.stateHash()).toBe(other.stateHash());
  expect(one.runs.map(({ hasOvertaken }) => hasOvertaken)).toEqual([false, false, true, false]);
});

test("with preemption, work of a lower class makes room at once, begins anew later, and the times say so", () => {
  const jobs = [
    { submit: 0, run: 1_000, nodes: 2, priority: 1 },
    { submit: 0, run: 1_000, nodes: 2, priority: 2 },
    { submit: 100, run: 500, nodes: 2, priority: 6 },
  ];
  const preemption = { classDistance: 1, countMax: 10, checkpointMs: millis(0) };
  const { runs } = simulate(aTrace(jobs), equalNodes(4), {
    policy: { ...POLICIES.easy, preemption },
    estimate: "trace",
  });
  expect(runs.map(({ startedAt, endedAt }) => [startedAt / 1_000, endedAt / 1_000])).toEqual([
    [600, 1_600],
    [0, 1_000],
    [100, 600],
  ]);
  expect(runs.map(({ preemptedCount }) => preemptedCount)).toEqual([1, 0, 0]);
});

test("without preemption a higher class waits for its turn", () => {
  const jobs = [
    { submit: 0, run: 1_000, nodes: 4, priority: 1 },
    { submit: 100, run: 500, nodes: 4, priority: 9 },
  ];
  expect(starts(replay(jobs, 4))).toEqual([0, 1_000]);
});

test("estimates may be twice the run times, or drawn anew for each seed", () => {
  const jobs = [
    { submit: 0, run: 100, nodes: 3 },
    { submit: 1, run: 10, nodes: 4 },
    { submit: 2, run: 60, nodes: 1 },
  ];
  const startsBy = (estimate: Estimate, seed: number) =>
    starts(simulate(aTrace(jobs), equalNodes(4), { policy: POLICIES.easy, estimate, draw: createPrng(seed) }));
  expect(startsBy("exact", 1)).toEqual([0, 100, 2]);
  // Both are taken to last twice as long, so the third would end before the first all the same.
  expect(startsBy("double", 1)).toEqual([0, 100, 2]);
  expect(startsBy("random", 1)).toEqual(startsBy("random", 1));
  const seeds = Array.from({ length: 20 }, (_, seed) => startsBy("random", seed).join());
  expect(new Set(seeds).size).toBe(2);
});
