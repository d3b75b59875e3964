/**
 * Shows what the state makes of an administrator's reservations: what would still run on
 * reserved nodes is refused whatever the plan says, those it is for are let in, what is
 * over is forgotten, and the rows are read back.
 */
import { expect, test } from "bun:test";
import { logIndex, millis } from "../../../../src/base/brand.ts";
import { allocationId, nodeId, userId } from "../../../../src/core/domain/ids.ts";
import { DEFAULT_TENANT, DEFAULT_VCLUSTER } from "../../../../src/core/domain/tenant.ts";
import { decodeSnapshot, encodeSnapshot } from "../../../../src/core/state/snapshot.ts";
import { stateHash } from "../../../../src/core/state/state.ts";
import { aRegistration, aRequest, aSpec } from "../../../fixtures/builders.ts";
import { StateWorld } from "../../../fixtures/state-world.ts";

const HOUR = 3_600_000;

function worldWithNode(): StateWorld {
  const world = new StateWorld();
  world.propose({ kind: "register-node", registration: aRegistration("n0"), issues: [] });
  const health = { health: "ready", reason: "", issues: [], isolatedUntil: millis(0) } as const;
  world.propose({ kind: "set-node-health", node: nodeId("n0"), ...health });
  return world;
}

function reserve(
  world: StateWorld,
  name: string,
  { from, until }: { from: number; until: number },
  users: string[] = [],
) {
  const span = { from: millis(from * HOUR), until: millis(until * HOUR) };
  const who = { users: users.map(userId), nodes: [nodeId("n0")], features: [], reason: "" };
  return world.propose({ kind: "reserve-nodes", reservation: { name, ...span, ...who } });
}

/** Places work of two hours on the node, whatever a plan would say. */
function placeAnyway(world: StateWorld, user = "ada") {
  const id = allocationId(`work-of-${user}`);
  const resources = aRequest({ nodesMin: 1 });
  const spec = aSpec({ tenant: DEFAULT_TENANT, vcluster: DEFAULT_VCLUSTER, resources, walltimeMs: millis(2 * HOUR) });
  world.propose({ kind: "submit-allocation", allocation: { id, spec, dependencies: [] } }, { by: userId(user) });
  const version = world.state.tables.allocations.get(id)?.version ?? logIndex(0);
  const { cpus = 0, memoryBytes = 0, gpuMilli = 0 } = world.state.tables.nodes.get(nodeId("n0"))?.capacity ?? {};
  const claims = [{ nodeId: nodeId("n0"), cpus, memoryBytes, gpuMilli, isExclusive: true }];
  const { outcome } = world.propose({ kind: "assign-nodes", placements: [{ allocation: id, version, claims }] });
  return outcome.ok && outcome.value.kind === "assigned" ? outcome.value.refused.map(({ fault }) => fault.message) : [];
}

test("INV-S4 a placement that reaches into a reservation is refused", () => {
  const world = worldWithNode();
  reserve(world, "cooling", { from: 1, until: 3 });
  expect(placeAnyway(world)).toEqual(["node n0 is reserved by cooling"]);
});

test("INV-S4 a placement that has ended before a reservation, or is of those it is for, is taken", () => {
  const world = worldWithNode();
  reserve(world, "later", { from: 2, until: 3 });
  expect(placeAnyway(world)).toEqual([]);
  const course = worldWithNode();
  reserve(course, "course", { from: 0, until: 3 }, ["bob"]);
  expect(placeAnyway(course, "ada")).toEqual(["node n0 is reserved by course"]);
  expect(placeAnyway(course, "bob")).toEqual([]);
});

test("reservations that are over are forgotten with the next one, and deleted ones at once", () => {
  const world = worldWithNode();
  reserve(world, "first", { from: 1, until: 2 });
  world.now = millis(2 * HOUR);
  reserve(world, "second", { from: 3, until: 4 });
  expect([...world.state.tables.reservations.keys()]).toEqual(["second"]);
  world.propose({ kind: "delete-reservation", name: "second" });
  expect(world.state.tables.reservations.size).toBe(0);
  const again = world.propose({ kind: "delete-reservation", name: "second" }).outcome;
  expect(again.ok ? "" : again.error.reason).toBe("RESERVATION_NOT_FOUND");
});

test("a reservation of what does not exist, or of the past, is refused", () => {
  const world = worldWithNode();
  world.now = millis(5 * HOUR);
  const over = reserve(world, "over", { from: 1, until: 2 }).outcome;
  expect(over.ok ? "" : over.error.message).toBe("reservation over would be over already");
});

test("reservations are rows of the state that a restart reads back", () => {
  const world = worldWithNode();
  reserve(world, "cooling", { from: 1, until: 3 });
  const restored = decodeSnapshot(encodeSnapshot(world.state));
  expect(restored.ok && stateHash(restored.value)).toBe(stateHash(world.state));
  expect(restored.ok && restored.value.tables.reservations.get("cooling")).toEqual(
    world.state.tables.reservations.get("cooling"),
  );
});
