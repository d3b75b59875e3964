/** Shows that a share is given single GPUs when it is placed, and refused where what is left is in pieces. */
import { expect, test } from "bun:test";
import { millis } from "../../../../src/base/brand.ts";
import { allocationId, nodeId } from "../../../../src/core/domain/ids.ts";
import type { Claim } from "../../../../src/core/domain/resources.ts";
import { decodeSnapshot, encodeSnapshot } from "../../../../src/core/state/snapshot.ts";
import { viewOf } from "../../../../src/core/state/view.ts";
import { aRegistration, aRequest, aSpec } from "../../../fixtures/builders.ts";
import { StateWorld } from "../../../fixtures/state-world.ts";

const NODE = nodeId("n0");

function worldOfTwoGpus(): StateWorld {
  const world = new StateWorld();
  const registration = aRegistration(NODE, { cpus: 16, gpuMilli: 2_000, gpuType: "a100" });
  world.propose({ kind: "register-node", registration, issues: [] });
  const health = { health: "ready", reason: "", issues: [], isolatedUntil: millis(0) } as const;
  world.propose({ kind: "set-node-health", node: NODE, ...health });
  return world;
}

/** Submits a share of GPUs and places it; returns its claim, or undefined where it was refused. */
function placed(world: StateWorld, name: string, gpuMilli: number): Claim | undefined {
  const id = allocationId(name);
  const spec = aSpec({ resources: aRequest({ perNode: { cpus: 1, memoryBytes: 0, gpuMilli } }) });
  world.propose({ kind: "submit-allocation", allocation: { id, spec, dependencies: [] } });
  const version = world.state.tables.allocations.get(id)?.version;
  if (version === undefined) throw new Error(`${name} was refused`);
  const claim = { nodeId: NODE, cpus: 1, memoryBytes: 0, gpuMilli, isExclusive: false };
  world.propose({ kind: "assign-nodes", placements: [{ allocation: id, version, claims: [claim] }] });
  return world.state.tables.allocations.get(id)?.parts[0]?.claim;
}

test("INV-S1: shares of GPUs are of single devices, of which none gives more than it has", () => {
  const world = worldOfTwoGpus();
  expect(placed(world, "a", 600)?.gpus).toEqual([{ device: 0, milli: 600 }]);
  expect(placed(world, "b", 600)?.gpus).toEqual([{ device: 1, milli: 600 }]);
  expect(placed(world, "c", 800)).toBeUndefined();
  expect(placed(world, "d", 400)?.gpus).toEqual([{ device: 0, milli: 400 }]);
  expect(viewOf(world.state).nodes[0]?.gpuFree).toEqual([0, 400]);
});

test("what each GPU has left is the same after a restart", () => {
  const world = worldOfTwoGpus();
  placed(world, "a", 600);
  placed(world, "b", 1_000);
  const restored = decodeSnapshot(encodeSnapshot(world.state));
  if (!restored.ok) throw new Error(restored.error);
  expect(viewOf(restored.value).nodes[0]?.gpuFree).toEqual([400, 0]);
});
