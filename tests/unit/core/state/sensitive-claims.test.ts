/**
 * Shows claims of nodes for sensitive work: the first wins, a claimed node takes nobody else's
 * work, and nothing but a wipe that was confirmed opens it again.
 */
import { expect, test } from "bun:test";
import { millis } from "../../../../src/base/brand.ts";
import { allocationId, nodeId, userId } from "../../../../src/core/domain/ids.ts";
import { claimOn } from "../../../../src/core/domain/resources.ts";
import { viewOf, wipeOf } from "../../../../src/core/state/view.ts";
import { aSpec } from "../../../fixtures/builders.ts";
import { StateWorld } from "../../../fixtures/state-world.ts";

const NODE = nodeId("n1");
const ANN = { by: userId("ann") };
const BOB = { by: userId("bob") };

function aWorld(): StateWorld {
  const world = new StateWorld();
  const capacity = { cpus: 4, memoryBytes: 2 ** 33, gpuMilli: 0, gpuType: "", features: [], group: 0 };
  const registration = { nodeId: NODE, instanceId: "i", agentVersion: "1", address: "n1:1", capacity };
  world.propose({ kind: "register-node", registration, issues: [] });
  setHealth(world, "ready");
  return world;
}

function setHealth(world: StateWorld, health: "ready" | "down"): void {
  const body = { kind: "set-node-health", node: NODE, health, reason: "", issues: [] } as const;
  world.propose({ ...body, isolatedUntil: millis(0) });
}

const nodeOf = (world: StateWorld) => {
  const node = world.state.tables.nodes.get(NODE);
  if (!node) throw new Error("no node");
  return node;
};

function submit(
  world: StateWorld,
  id: string,
  { isSensitive = false, by = ANN }: { isSensitive?: boolean; by?: typeof ANN } = {},
) {
  const spec = { ...aSpec(), isSensitive };
  world.propose({ kind: "submit-allocation", allocation: { id: allocationId(id), spec, dependencies: [] } }, by);
}

const stateOf = (world: StateWorld, id: string) => world.state.tables.allocations.get(allocationId(id))?.state;

function end(world: StateWorld, id: string): void {
  const report = { allocation: allocationId(id), attempt: 1, phase: "ended", cause: "exited", exitCode: 0 } as const;
  world.propose({ kind: "record-reports", node: NODE, reports: [report] });
}

const claim = (world: StateWorld, by = ANN) => world.propose({ kind: "claim-node", node: NODE }, by).outcome;
const release = (world: StateWorld) => world.propose({ kind: "release-node", node: NODE }, ANN).outcome;

function wiped(world: StateWorld, isDone: boolean, wipe = wipeOf(world.state, NODE) ?? 0) {
  return world.propose({ kind: "record-wipe", node: NODE, wipe, isDone, detail: "disk is busy" }).outcome;
}

test("the first claim wins, and who comes second is told whose it is", () => {
  const world = aWorld();
  expect(claim(world).ok).toBe(true);
  expect(claim(world).ok).toBe(true);
  expect(claim(world, BOB)).toMatchObject({ ok: false, error: { message: "node n1 is claimed by ann" } });
});

test("INV-S6: a claimed node is given nobody else's work, neither by the plan nor by a forged one", () => {
  const world = aWorld();
  claim(world);
  submit(world, "theirs", { by: BOB });
  submit(world, "own");
  world.place();
  expect([stateOf(world, "theirs"), stateOf(world, "own")]).toEqual(["pending", "staging"]);
  end(world, "own");
  const theirs = world.state.tables.allocations.get(allocationId("theirs"));
  if (!theirs) throw new Error("no record");
  const held = claimOn(theirs.spec.resources, nodeOf(world), false);
  const placements = [{ allocation: theirs.id, version: theirs.version, claims: [held] }];
  expect(world.propose({ kind: "assign-nodes", placements }).outcome).toMatchObject({
    value: { refused: [{ fault: { message: "node n1 is claimed by ann for sensitive work" } }] },
  });
});

test("a node that runs something is neither claimed nor released", () => {
  const world = aWorld();
  submit(world, "theirs", { by: BOB });
  world.place();
  expect(claim(world)).toMatchObject({ ok: false, error: { message: "node n1 runs 1 allocations" } });
  end(world, "theirs");
  claim(world);
  submit(world, "own");
  world.place();
  expect(release(world)).toMatchObject({ ok: false, error: { message: "node n1 still runs 1 allocations" } });
});

test("INV-S6: a released node takes nothing until its wipe is confirmed", () => {
  const world = aWorld();
  claim(world);
  release(world);
  submit(world, "theirs", { by: BOB });
  world.place();
  expect([nodeOf(world).state, nodeOf(world).reason]).toEqual(["drained", "being wiped after sensitive work"]);
  expect(stateOf(world, "theirs")).toBe("pending");
  expect(wiped(world, true, 1).ok).toBe(false);
  expect(wiped(world, true).ok).toBe(true);
  world.place();
  expect([nodeOf(world).state, stateOf(world, "theirs")]).toEqual(["ready", "staging"]);
});

test("INV-S6: sensitive work on a node that nobody claimed has it wiped too, plain work has not", () => {
  const world = aWorld();
  submit(world, "plain");
  world.place();
  end(world, "plain");
  expect(nodeOf(world).state).toBe("ready");
  submit(world, "secret", { isSensitive: true });
  world.place();
  expect(stateOf(world, "secret")).toBe("staging");
  end(world, "secret");
  expect([nodeOf(world).state, wipeOf(world.state, NODE)]).toEqual(["drained", nodeOf(world).wipe?.id]);
});

test("INV-S6: a node whose wipe fails is quarantined; heartbeats and undraining do not bring it back, another wipe does", () => {
  const world = aWorld();
  claim(world);
  release(world);
  wiped(world, false);
  expect([nodeOf(world).state, nodeOf(world).reason]).toEqual(["down", "quarantined: its wipe failed: disk is busy"]);
  setHealth(world, "down");
  setHealth(world, "ready");
  world.propose({ kind: "undrain-node", node: NODE });
  expect(nodeOf(world).state).toBe("down");
  expect(wipeOf(world.state, NODE)).toBeUndefined();
  world.propose({ kind: "enable-node", node: NODE });
  expect(nodeOf(world).state).toBe("drained");
  wiped(world, true);
  expect([nodeOf(world).state, nodeOf(world).reason]).toEqual(["ready", ""]);
});

test("a node that is lost while it is wiped is still to be wiped when it comes back", () => {
  const world = aWorld();
  claim(world);
  release(world);
  setHealth(world, "down");
  expect(viewOf(world.state).nodes[0]?.state).toBe("down");
  setHealth(world, "ready");
  expect(nodeOf(world).state).toBe("drained");
});
