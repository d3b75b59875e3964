/**
 * Shows that the replica hands its changes to the mirror a little at a time, and that what
 * is written is nevertheless the state of one index, whatever is applied in between.
 */
import { expect, test } from "bun:test";
import { logIndex } from "../../../../src/base/brand.ts";
import { tenantId } from "../../../../src/core/domain/ids.ts";
import type { CommandBody } from "../../../../src/core/state/commands.ts";
import { decodeSnapshot } from "../../../../src/core/state/snapshot.ts";
import { stateHash } from "../../../../src/core/state/state.ts";
import { Replica, SYSTEM } from "../../../../src/engine/server/replica.ts";
import { FakeClock, settle } from "../../../fixtures/fake-clock.ts";
import { FakeGroup } from "../../../fixtures/fake-group.ts";
import { listedLog } from "../../../fixtures/listed-log.ts";
import { MemoryStateMirror } from "../../../fixtures/memory-state-mirror.ts";

class World {
  readonly group = new FakeGroup();
  readonly clock = new FakeClock();
  readonly failures: string[] = [];
  readonly mirror = new MemoryStateMirror();
  readonly consensus = this.group.join(1);
  readonly replica = new Replica({
    proposer: "server-1",
    mirror: this.mirror,
    consensus: this.consensus,
    clock: this.clock,
    snapshots: { send: async () => this.mirror.applied().index },
    log: listedLog(),
    snapshotThreshold: 1_000,
    onFailed: ({ message }) => this.failures.push(message),
  });

  constructor() {
    this.replica.start();
    this.group.elect(1);
  }

  /** Makes tenants whose rows together take several turns to hand over. */
  async addLargeTenants(): Promise<void> {
    for (let i = 0; i < 20; i++) await this.replica.propose(tenant(`t${i}`, "x".repeat(100_000)), SYSTEM);
  }

  mirroredHash(): string | undefined {
    const state = decodeSnapshot(this.mirror.liveRows());
    return state.ok ? stateHash(state.value) : undefined;
  }
}

const tenant = (id: string, name: string): CommandBody => ({
  kind: "create-tenant",
  tenant: tenantId(id),
  name,
  quota: { nodesMax: 1, fairShareTarget: 0 },
  isolation: "standard",
});

test("what is written is the state of one index, though it was taken in several turns", async () => {
  const world = new World();
  await world.addLargeTenants();
  const written = world.replica.flush();
  await settle();
  expect(world.mirror.applied().index).toEqual(logIndex(0));
  await world.replica.propose(tenant("between", "turns"), SYSTEM);
  await world.clock.pass(1);
  await written;
  expect(world.mirror.applied().index).toBe(world.replica.applied);
  expect(world.mirroredHash()).toBe(stateHash(world.replica.state));
});

test("two that flush at once both find everything written", async () => {
  const world = new World();
  await world.addLargeTenants();
  const both = Promise.all([world.replica.flush(), world.replica.flush()]);
  await world.clock.pass(1);
  await both;
  expect(world.mirroredHash()).toBe(stateHash(world.replica.state));
});

test("a snapshot that comes between two turns is not mixed with rows of the state it replaces", async () => {
  const other = new World();
  await other.replica.propose(tenant("other", "state"), SYSTEM);
  await other.replica.flush();
  const world = new World();
  await world.addLargeTenants();
  const written = world.replica.flush();
  await settle();
  world.consensus.install(other.mirror.cut());
  await world.clock.pass(1);
  await written;
  expect(world.failures).toEqual([]);
  expect(stateHash(world.replica.state)).toBe(stateHash(other.replica.state));
  expect(world.mirroredHash()).toBe(stateHash(other.replica.state));
});

test("a stop in the middle writes the rest at once", async () => {
  const world = new World();
  await world.addLargeTenants();
  void world.replica.flush();
  await settle();
  await world.replica.close();
  expect(world.mirror.applied().index).toBe(world.replica.applied);
  expect(world.mirroredHash()).toBe(stateHash(world.replica.state));
});
