/** Shows that a machine can be described kind by kind, and that what is wrong with a description is said. */
import { expect, test } from "bun:test";
import { machineFrom } from "../../../src/replay/machine-file.ts";

test("kinds of nodes become nodes in the order of their names, cut into groups", () => {
  const read = machineFrom({
    share_nodes: true,
    nodes: [
      { names: "g[0-3]", cpus: 72, memory_gb: 480, gpus: 4, gpu_type: "GH200", groups: 2, group: 5 },
      { names: "c0", cpus: 128, features: ["ib"] },
    ],
  });
  if (!read.ok) throw new Error(read.error.message);
  const { nodes, sharesNodes } = read.value;
  expect(sharesNodes).toBe(true);
  expect(nodes.map(({ name, capacity }) => [name, capacity.cpus, capacity.gpuMilli, capacity.group])).toEqual([
    ["c0", 128, 0, 0],
    ["g0", 72, 4_000, 5],
    ["g1", 72, 4_000, 5],
    ["g2", 72, 4_000, 6],
    ["g3", 72, 4_000, 6],
  ]);
  expect(nodes[0]?.capacity.features).toEqual(["ib"]);
});

test.each([
  ["nothing", {}, "names no nodes"],
  ["a key that there is not", { nodes: [{ names: "a", cpu: 1 }] }, "no key cpu"],
  ["a number that is none", { nodes: [{ names: "a", gpus: "two" }] }, 'gpus is "two"'],
  ["a node twice", { nodes: [{ names: "a" }, { names: "a" }] }, "twice"],
])("%s is refused", (_what, value, why) => {
  expect(machineFrom(value)).toMatchObject({ ok: false, error: { message: expect.stringContaining(why) } });
});
