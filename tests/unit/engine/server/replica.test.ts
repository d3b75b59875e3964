/**
 * Shows what a server's replica promises its callers whatever leadership does: a proposal
 * is settled exactly once, a read sees what was acknowledged before it, a snapshot puts
 * another state in place and says so. The log below is a fake that the test leads.
 */
import { expect, test } from "bun:test";
import type { Term } from "../../../../src/base/brand.ts";
import { logIndex } from "../../../../src/base/brand.ts";
import { fault } from "../../../../src/core/domain/errors.ts";
import { tenantId } from "../../../../src/core/domain/ids.ts";
import { encodeMembership, soleVoter } from "../../../../src/core/raft/membership.ts";
import type { CommandBody } from "../../../../src/core/state/commands.ts";
import { stateHash } from "../../../../src/core/state/state.ts";
import { Replica, SYSTEM } from "../../../../src/engine/server/replica.ts";
import type { SnapshotOrder } from "../../../../src/ports/peer-link.ts";
import { FakeClock, settle } from "../../../fixtures/fake-clock.ts";
import { FakeGroup } from "../../../fixtures/fake-group.ts";
import { listedLog } from "../../../fixtures/listed-log.ts";
import { MemoryStateMirror } from "../../../fixtures/memory-state-mirror.ts";

class World {
  readonly group = new FakeGroup();
  readonly clock: FakeClock;
  readonly failures: string[] = [];
  readonly orders: SnapshotOrder[] = [];

  constructor(clock = new FakeClock()) {
    this.clock = clock;
  }

  server(id: number) {
    const consensus = this.group.join(id);
    const mirror = new MemoryStateMirror();
    const replica = new Replica({
      proposer: `server-${id}`,
      mirror,
      consensus,
      clock: this.clock,
      snapshots: {
        send: async (order) => {
          this.orders.push(order);
          return mirror.applied().index;
        },
      },
      log: listedLog(),
      snapshotThreshold: 100,
      onFailed: ({ message }) => this.failures.push(message),
    });
    const told: string[] = [];
    replica.listen({
      onEvents: (events) => told.push(...events.map((event) => event.kind)),
      onReplaced: () => told.push("replaced"),
      onRole: (isLeader) => told.push(isLeader ? "leads" : "follows"),
    });
    replica.start();
    return { replica, consensus, mirror, told };
  }
}

const tenant = (name: string): CommandBody => ({
  kind: "create-tenant",
  tenant: tenantId(name),
  name,
  quota: { nodesMax: 1, fairShareTarget: 0 },
  isolation: "standard",
});

const names = (replica: Replica) => [...replica.state.tables.tenants.keys()].map(String);
const UNAVAILABLE = { fault: { reason: "NO_QUORUM", retryAfterMs: 500 } };

test("a proposal of a follower is settled when the follower has applied it", async () => {
  const world = new World();
  const { replica } = world.server(1);
  const { replica: other } = world.server(2);
  world.group.elect(2);
  expect(await replica.propose(tenant("a"), SYSTEM)).toEqual({ kind: "done" });
  expect([names(replica), names(other)]).toEqual([["a"], ["a"]]);
  await expect(replica.propose(tenant("a"), SYSTEM)).rejects.toMatchObject({ fault: { reason: "ALREADY_EXISTS" } });
});

test("a change of leader settles nothing by itself: what the log rejects is told, what it stores counts", async () => {
  const world = new World();
  const { replica, consensus } = world.server(1);
  world.group.elect(1);
  world.group.elect(undefined);
  const held = replica.propose(tenant("a"), SYSTEM);
  consensus.losesProposals = true;
  const rejected = replica.propose(tenant("b"), SYSTEM);
  world.group.elect(1);
  consensus.reject(2, fault("NOT_LEADER", "this server is not the leader"));
  consensus.sendHeld();
  expect(await held).toEqual({ kind: "done" });
  await expect(rejected).rejects.toMatchObject(UNAVAILABLE);
});

test("a proposal that nobody answers is given up after a few seconds, and a repeat under its key is stored once", async () => {
  const world = new World();
  const { replica, consensus } = world.server(1);
  world.group.elect(1);
  const key = { key: "k", fingerprint: "f" };
  consensus.isCut = true;
  const first = replica.propose(tenant("a"), SYSTEM, { idempotency: key });
  first.catch(() => {});
  await world.clock.pass(6_000);
  await expect(first).rejects.toMatchObject(UNAVAILABLE);
  consensus.isCut = false;
  const repeats = await Promise.all([1, 2, 3].map(() => replica.propose(tenant("a"), SYSTEM, { idempotency: key })));
  expect(repeats).toEqual([{ kind: "done" }, { kind: "done" }, { kind: "done" }]);
});

test("INV-O2 a read waits until the state holds what was acknowledged before it began", async () => {
  const world = new World();
  const one = world.server(1);
  const two = world.server(2);
  world.group.elect(1);
  two.consensus.isCut = true;
  await one.replica.propose(tenant("a"), SYSTEM);
  two.consensus.isCut = false;
  let isOver = false;
  const read = two.replica.readBarrier().then(() => {
    isOver = true;
  });
  await settle();
  expect(isOver).toBe(false);
  two.consensus.deliver();
  await read;
  expect(names(two.replica)).toEqual(["a"]);
});

test("INV-O2 readers who come while the log is asked share the next question, not this one", async () => {
  const world = new World();
  const { replica, consensus } = world.server(1);
  world.group.elect(1);
  const first = replica.readBarrier();
  const rest = Array.from({ length: 100 }, () => replica.readBarrier());
  await Promise.all([first, ...rest]);
  expect(consensus.readIndexCalls).toBe(2);
});

test("a read that cannot catch up is refused after a few seconds, with a hint", async () => {
  const world = new World();
  const one = world.server(1);
  const two = world.server(2);
  world.group.elect(1);
  two.consensus.isCut = true;
  await one.replica.propose(tenant("a"), SYSTEM);
  two.consensus.isCut = false;
  const read = two.replica.readBarrier();
  read.catch(() => {});
  await world.clock.pass(5_000);
  await expect(read).rejects.toMatchObject(UNAVAILABLE);
});

test("a snapshot puts another state in place, tells everybody, and leaves open what was proposed", async () => {
  const world = new World();
  const one = world.server(1);
  const two = world.server(2);
  world.group.elect(1);
  two.consensus.isCut = true;
  const swallowed = two.replica.propose(tenant("open"), SYSTEM);
  for (const name of ["a", "b", "c"]) await one.replica.propose(tenant(name), SYSTEM);
  await one.replica.flush();
  two.consensus.install(one.mirror.cut());
  await settle();
  await expect(swallowed).rejects.toMatchObject(UNAVAILABLE);
  expect(two.told.at(-1)).toBe("replaced");
  expect(stateHash(two.replica.state)).toBe(stateHash(one.replica.state));
  // What follows waits until the snapshot is in place.
  two.consensus.install(one.mirror.cut());
  two.consensus.isCut = false;
  await one.replica.propose(tenant("d"), SYSTEM);
  await settle();
  expect(stateHash(two.replica.state)).toBe(stateHash(one.replica.state));
  expect(two.replica.applied).toBe(one.replica.applied);
});

test("the mirror knows index, term and members of what it holds, also after a snapshot", async () => {
  const world = new World();
  const { replica, mirror } = world.server(1);
  world.group.elect(1);
  world.group.elect(1);
  const membership = soleVoter({ id: 1, address: "a:1", storeId: "s" });
  world.group.append("membership", encodeMembership(membership));
  await replica.propose(tenant("a"), SYSTEM);
  await replica.flush();
  expect(mirror.applied()).toMatchObject({ index: 4, term: 2, membership: { index: 3, membership } });
});

test("a member that needs the state gets it as it is at that moment", async () => {
  const world = new World();
  const { replica, consensus, mirror } = world.server(1);
  world.group.elect(1);
  await replica.propose(tenant("a"), SYSTEM);
  const order = { to: 2, address: "b:1", term: 1 as Term, atLeast: logIndex(1) };
  expect(await consensus.want(order)).toBe(replica.applied);
  expect(world.orders).toEqual([order]);
  expect(mirror.find("tenants", "a")).toBeDefined();
});

test("roles are told when they change, not with every word of the log", async () => {
  const world = new World();
  const { told } = world.server(1);
  world.server(2);
  for (const leader of [1, 1, 2, 2, undefined, 1]) world.group.elect(leader);
  expect(told).toEqual(["leads", "follows", "leads"]);
});

/** A clock by which every look takes some milliseconds: whoever looks thinks that it works hard. */
class SlowClock extends FakeClock {
  #looked = 0;
  override monotonic(): number {
    this.#looked += 6;
    return super.monotonic() + this.#looked;
  }
}

test("whoever catches up with much lets the loop have its turn in between, and keeps the order", async () => {
  const world = new World(new SlowClock());
  const { replica } = world.server(1);
  const { replica: late, consensus } = world.server(2);
  world.group.elect(1);
  consensus.isCut = true;
  for (let i = 0; i < 300; i++) void replica.propose(tenant(`t${i}`), SYSTEM);
  await world.clock.pass(1_000);
  consensus.isCut = false;
  consensus.deliver();
  const first = late.applied;
  expect(first).toBeLessThan(replica.applied);
  // What is committed meanwhile waits for its turn.
  void replica.propose(tenant("last"), SYSTEM);
  await settle();
  expect(late.applied).toBe(first);
  await world.clock.pass(10);
  expect(late.applied).toBe(replica.applied);
  expect(stateHash(late.state)).toBe(stateHash(replica.state));
});
