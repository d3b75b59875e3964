/** Shows how pods and nodes of the openb trace are read, and that drawn arrivals pack GPUs by single devices. */
import { describe, expect, test } from "bun:test";
import { createPrng } from "../../../src/base/prng.ts";
import { arrivalsOnly, readOpenbNodes, readOpenbPods } from "../../../src/replay/openb.ts";
import { POLICIES } from "../../../src/replay/policies.ts";
import { simulate } from "../../../src/replay/simulate.ts";

const PODS = `name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
a,6000,1024,1,460,,LS,Running,5,65,5
b,12000,2048,2,1000,T4,LS,Running,1,2,1
c,500,512,0,0,,LS,Running,9,10,9
d,500,512,1,1000,T4|P100,LS,Running,9,10,9
`;
const NODES = `sn,cpu_milli,memory_mib,gpu,model
n0,64000,4096,2,T4
n1,64000,4096,2,T4
`;

function read<T>(
  result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown },
): T {
  if (!result.ok) throw new Error(String(result.error));
  return result.value;
}

describe("pods", () => {
  const trace = read(readOpenbPods(PODS));

  test("are jobs of one node in the order of their time, with parts of a GPU or whole ones", () => {
    expect(trace.jobs.map(({ name, perNode, gpuType }) => [name, perNode?.cpus, perNode?.gpuMilli, gpuType])).toEqual([
      ["b", 12_000, 2_000, "T4"],
      ["a", 6_000, 460, undefined],
      ["c", 500, 0, undefined],
    ]);
  });

  test("that would take one of several GPU types are left out and counted", () => {
    expect(trace.skipped).toEqual({ "several GPU types will do": 1 });
  });

  test("that make no sense are errors with their line", () => {
    const bad = readOpenbPods(PODS.replace("12000", "many"));
    expect(bad.ok ? undefined : bad.error.message).toBe('line 3: cpu_milli is "many"');
  });
});

test("nodes are shared, and have their GPUs", () => {
  const machine = read(readOpenbNodes(NODES));
  expect([machine.sharesNodes, machine.nodes.map(({ name, capacity }) => [name, capacity.gpuMilli])]).toEqual([
    true,
    [
      ["n0", 2_000],
      ["n1", 2_000],
    ],
  ]);
});

describe("arrivals alone", () => {
  const machine = read(readOpenbNodes(NODES));
  const arrivals = (load: number, seed: number) =>
    arrivalsOnly(read(readOpenbPods(PODS)), machine, { load, draw: createPrng(seed) });

  test("ask for as much as they are told to, come one a second, and end together", () => {
    const { jobs } = arrivals(2, 1);
    const asked = jobs.map(({ perNode }) => perNode?.gpuMilli ?? 0);
    expect(asked.reduce((sum, milli) => sum + milli, 0)).toBeGreaterThanOrEqual(8_000);
    expect(asked.slice(0, -1).reduce((sum, milli) => sum + milli, 0)).toBeLessThan(8_000);
    expect(jobs.map(({ submittedAt }) => submittedAt / 1_000)).toEqual(jobs.map((_, at) => at));
    expect(new Set(jobs.map(({ submittedAt, runMs }) => submittedAt + runMs)).size).toBe(1);
  });

  test("are the same for the same seed", () => {
    expect(arrivals(2, 7)).toEqual(arrivals(2, 7));
  });

  test("are dropped when they do not fit, and the most that was held is told", () => {
    const policy = POLICIES.easy;
    const replay = simulate(arrivals(3, 1), machine, { policy, estimate: "exact", isImpatient: true });
    expect(replay.unplaced.length).toBeGreaterThan(0);
    expect(replay.samples.every(({ waiting }) => waiting === 0)).toBe(true);
    expect(replay.gpuMilliMax).toBeWithin(2_000, 4_001);
  });
});
