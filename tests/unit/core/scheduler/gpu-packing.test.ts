/** Shows where shares of nodes with GPUs are put: work without GPUs keeps off GPUs that it would strand, parts of GPUs go together. */
import { expect, test } from "bun:test";
import { millis } from "../../../../src/base/brand.ts";
import { nodeId } from "../../../../src/core/domain/ids.ts";
import type { Claim } from "../../../../src/core/domain/resources.ts";
import { decide } from "../../../../src/core/scheduler/plan.ts";
import { EASY_POLICY } from "../../../../src/core/scheduler/policy.ts";
import { aCapacity, aPending, aRequest, aRunning, aVCluster, aView } from "../../../fixtures/builders.ts";

const node = (id: string, gpus: number) => ({
  id: nodeId(id),
  capacity: aCapacity({ cpus: 16, memoryBytes: 64, gpuMilli: gpus * 1_000, gpuType: gpus > 0 ? "a100" : "" }),
});

const share = (id: string, cpus: number, gpuMilli: number): Claim => ({
  nodeId: nodeId(id),
  cpus,
  memoryBytes: 1,
  gpuMilli,
  isExclusive: false,
});

/** Returns where a share goes on the nodes, given what is on them; empty where it has to wait. */
function placeOf(nodes: readonly ReturnType<typeof node>[], held: readonly Claim[], need: Partial<Claim>): string {
  const request = aRequest({ perNode: { cpus: 1, memoryBytes: 1, gpuMilli: 0, ...need } });
  const view = aView({
    nodes,
    pending: [aPending(1, "a", { request })],
    running: held.map((claim, i) => aRunning(`r${i}`, [claim])),
    vclusters: [aVCluster(aPending(1, "x").vcluster, { sharesNodes: true })],
  });
  return decide(view, EASY_POLICY, millis(0)).map(({ claims }) => claims.map(({ nodeId: id }) => id).join())[0] ?? "";
}

const TWO = [node("n0", 2), node("n1", 2)];

test("work without GPUs goes where GPUs are in use already, not where it would strand them", () => {
  expect(placeOf(TWO, [share("n1", 2, 2_000)], { cpus: 8 })).toBe("n1");
});

test("work without GPUs goes to a node without any", () => {
  expect(placeOf([node("n0", 2), node("n1", 0)], [], { cpus: 8 })).toBe("n1");
});

test("a part of a GPU goes where another part is in use", () => {
  expect(placeOf(TWO, [share("n1", 1, 500)], { gpuMilli: 400 })).toBe("n1");
});

test("what is free of the GPUs only in pieces is no place for a whole one", () => {
  const pieces = [share("n0", 1, 600), share("n0", 1, 600), share("n1", 1, 600), share("n1", 1, 600)];
  expect(placeOf(TWO, pieces, { gpuMilli: 800 })).toBe("");
  expect(placeOf(TWO, pieces, { gpuMilli: 400 })).toBe("n0");
});
