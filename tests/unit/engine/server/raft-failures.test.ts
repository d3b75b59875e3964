/**
 * Shows what drivers do when there is too much, when a store fails and when they are
 * closed: they say so, acknowledge nothing more, and the others go on.
 */
import { describe, expect, test } from "bun:test";
import { logIndex } from "../../../../src/base/brand.ts";
import { DriverCluster, outcomeOf } from "../../../fixtures/driver-cluster.ts";

describe("too much at once", () => {
  test("a leader with too many uncommitted bytes rejects, also what was forwarded to it", async () => {
    const cluster = new DriverCluster(3, { uncommittedBytesMax: 10 });
    const leader = await cluster.elect();
    await cluster.tick(3);
    cluster.network.isolate(3);
    cluster.network.unlink(1, 2);
    cluster.network.endBackOff();
    cluster.network.connect();
    await cluster.settle();
    leader.propose("a long proposal that fills the bound");
    leader.turn();
    const follower = cluster.member(2);
    const [own] = leader.propose("b");
    const [forwarded] = follower.propose("c");
    follower.turn();
    await Promise.resolve();
    for (const frame of cluster.network.held.splice(0)) if (frame.from === 2) cluster.network.give(frame);
    leader.turn();
    await Promise.resolve();
    expect(leader.rejected.map((r) => [r.proposal, r.cause.reason])).toEqual([[own ?? 0, "OVERLOADED"]]);
    await cluster.settle();
    expect(follower.rejected.map((r) => [r.proposal, r.cause.reason])).toEqual([[forwarded ?? 0, "OVERLOADED"]]);
  });

  test("appends are split by bytes, and a member far behind gets everything", async () => {
    const cluster = new DriverCluster(3, { cacheBytes: 1 << 20, uncommittedBytesMax: 64 << 20 });
    const leader = await cluster.elect();
    await cluster.tick(3);
    cluster.network.isolate(3);
    const large = "x".repeat(700_000);
    leader.propose(`1${large}`, `2${large}`, `3${large}`);
    await cluster.tick(3);
    cluster.network.heal();
    await cluster.tick(8);
    expect(cluster.member(3).texts.map((text) => text[0])).toEqual(["1", "2", "3"]);
    expect(leader.applied.index).toBe(cluster.member(3).applied.index);
  });
});

describe("a store that fails", () => {
  test("stops its member, which acknowledges nothing any more; the others go on", async () => {
    const cluster = new DriverCluster(3);
    const leader = await cluster.elect();
    await cluster.tick(3);
    const broken = cluster.member(2);
    broken.store.failsWith = "no space left";
    leader.propose("a");
    await cluster.tick(3);
    expect(broken.failures.map((f) => f.message)).toEqual(["no space left"]);
    expect(broken.store.load().shape.lastIndex).toBeLessThan(leader.applied.index);
    expect(leader.status.members[1]?.matchIndex).toBeLessThan(leader.applied.index);
    expect(cluster.network.isLinked(1, 2)).toBe(false);
    expect(leader.texts).toEqual(["a"]);
    const [proposal] = broken.propose("b");
    expect(broken.rejected.map((r) => r.proposal)).toEqual([proposal ?? 0]);
    expect(await outcomeOf(broken.driver.readIndex())).toBe("INTERNAL: no space left");
    await cluster.tick(10);
    expect(broken.failures.length).toBe(1);
  });

  test("of a leader: what it was about to write is rejected here, and another leads", async () => {
    const cluster = new DriverCluster(3);
    const old = await cluster.elect();
    await cluster.tick(3);
    old.store.failsWith = "input/output error";
    const [proposal] = old.propose("a");
    await cluster.settle();
    expect(old.rejected.map((r) => [r.proposal, r.cause.reason])).toEqual([[proposal ?? 0, "INTERNAL"]]);
    const next = await cluster.elect();
    expect(next.id).not.toBe(old.id);
  });
});

test("INV-O1: closing delivers what is committed and rejects everything later", async () => {
  const cluster = new DriverCluster(3);
  const leader = await cluster.elect();
  await cluster.tick(3);
  const closed = leader.driver.close();
  await cluster.tick(3);
  await closed;
  // It handed over first, so nobody had to wait for an election.
  expect(cluster.leader?.id).toBe(2);
  leader.propose("late");
  expect(leader.rejected.map((r) => r.cause.reason)).toEqual(["SHUTTING_DOWN"]);
  expect(await outcomeOf(leader.driver.changeMembers({ kind: "remove", id: 2 }))).toContain("SHUTTING_DOWN");
  expect(leader.store.isClosed).toBe(true);
  expect(leader.applied.index).toBeGreaterThanOrEqual(logIndex(4));
});

test("a leader closes also while a transfer is under way and proposals wait for its end", async () => {
  const cluster = new DriverCluster(3);
  const leader = await cluster.elect();
  await cluster.tick(3);
  cluster.network.cut(1, 2);
  cluster.network.held = [];
  leader.propose("a");
  await cluster.settle();
  const transfer = outcomeOf(leader.driver.transfer(2));
  await cluster.tick(1);
  const [proposal] = leader.propose("b");
  const closed = leader.driver.close();
  await cluster.settle();
  await closed;
  expect(leader.rejected.map((r) => [r.proposal, r.cause.reason])).toEqual([[proposal ?? 0, "SHUTTING_DOWN"]]);
  expect(await transfer).toContain("SHUTTING_DOWN");
});
