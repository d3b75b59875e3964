/**
 * Shows that drivers over links elect, commit, forward, read, fail over, stop and start
 * again, three and five of them in one thread, with time in the test's hand.
 */
import { describe, expect, test } from "bun:test";
import { assert } from "../../../../src/base/assert.ts";
import { logIndex } from "../../../../src/base/brand.ts";
import { DriverCluster, FAST, outcomeOf } from "../../../fixtures/driver-cluster.ts";

const PATIENCE = 4 * FAST.electionTicks;

describe("a cluster of three", () => {
  test("is elected from one member with --bootstrap and two empty ones, and binds their stores", async () => {
    const cluster = new DriverCluster(3);
    const leader = await cluster.elect();
    expect(leader.id).toBe(1);
    await cluster.tick(5);
    for (const member of cluster.up) {
      expect(member.store.identity.clusterId).toBe("c");
      expect(member.applied.membership.membership.members.map((m) => m.storeId)).toEqual(["s1", "s2", "s3"]);
    }
    expect(cluster.network.isLinked(2, 3)).toBe(true);
  });

  test("waiting members never stand, however long nobody has a cluster for them", async () => {
    const cluster = new DriverCluster(3);
    cluster.member(1).crash();
    await cluster.tick(100);
    expect([2, 3].map((id) => cluster.member(id).statuses)).toEqual([[], []]);
    expect(cluster.network.refusals.get("2-3")).toContain("start one of them with --bootstrap");
    cluster.member(1).restart();
    expect((await cluster.elect()).id).toBe(1);
  });

  test("commits what any member proposes, in one order everywhere", async () => {
    const cluster = new DriverCluster(3);
    await cluster.elect();
    for (const member of cluster.up) member.propose(`a${member.id}`, `b${member.id}`);
    await cluster.tick(3);
    const { texts } = cluster.member(1);
    expect(texts.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(["a1", "a2", "a3", "b1", "b2", "b3"]);
    for (const member of cluster.up) expect(member.texts).toEqual(texts);
  });

  test("those proposed together share one write at each member", async () => {
    const cluster = new DriverCluster(3);
    const leader = await cluster.elect();
    await cluster.tick(3);
    for (const member of cluster.up) member.store.changes.length = 0;
    leader.propose("a", "b", "c");
    await cluster.settle();
    for (const member of cluster.up) expect(member.store.changes.map((c) => c.entries.length)).toEqual([3]);
  });

  test("appends leave before the leader writes", async () => {
    const cluster = new DriverCluster(3);
    const leader = await cluster.elect();
    await cluster.tick(3);
    leader.store.changes.length = 0;
    leader.propose("a");
    leader.turn();
    expect(cluster.network.held.map((f) => f.to)).toEqual([2, 3]);
    expect(leader.store.changes).toEqual([]);
    await Promise.resolve();
    expect(leader.store.changes.map((c) => c.entries.length)).toEqual([1]);
  });

  test("reads on any member wait for what was acknowledged anywhere before", async () => {
    const cluster = new DriverCluster(3);
    const leader = await cluster.elect();
    await cluster.tick(3);
    leader.propose("a");
    await cluster.settle();
    const reads = cluster.up.map((member) => member.driver.readIndex());
    await cluster.settle();
    for (const read of reads) expect(await read).toBe(leader.applied.index);
  });

  test("the readers of one turn share one question", async () => {
    const cluster = new DriverCluster(3);
    await cluster.elect();
    await cluster.tick(3);
    const follower = cluster.member(2);
    const reads = Array.from({ length: 50 }, () => follower.driver.readIndex());
    follower.turn();
    await Promise.resolve();
    const questions = cluster.network.held.filter((f) => f.from === 2 && f.frame.kind === "raft");
    expect(questions.length).toBe(1);
    await cluster.settle();
    expect(new Set(await Promise.all(reads)).size).toBe(1);
  });

  test("an answer to a reader of an earlier run of the member is not taken for another's", async () => {
    const cluster = new DriverCluster(3);
    const leader = await cluster.elect();
    await cluster.tick(3);
    const follower = cluster.member(2);
    follower.driver.readIndex().catch(() => undefined);
    follower.turn();
    await Promise.resolve();
    const [question] = cluster.network.held.splice(0);
    follower.crash();
    leader.propose("a");
    await cluster.tick(3);
    follower.restart();
    await cluster.tick(5);
    const read = follower.driver.readIndex();
    follower.turn();
    await Promise.resolve();
    cluster.network.held = [];
    assert(question?.frame.kind === "raft" && question.frame.message.kind === "read-index", "it asked the leader");
    const { ticket } = question.frame.message;
    const message = { kind: "read-index-reply", term: leader.status.term, ticket, index: logIndex(1) } as const;
    cluster.network.give({ from: 1, to: 2, frame: { kind: "raft", message } });
    await cluster.tick(25);
    expect(await read).toBeGreaterThanOrEqual(leader.applied.index);
  });

  test("what one main loop relays reaches another's", async () => {
    const cluster = new DriverCluster(3);
    await cluster.elect();
    cluster.member(3).driver.relay(2, new TextEncoder().encode("hello"));
    await cluster.settle();
    expect(cluster.member(2).relayed).toEqual(["3: hello"]);
  });

  test("the leader's status says how far each member is and when it was heard", async () => {
    const cluster = new DriverCluster(3);
    const leader = await cluster.elect();
    await cluster.tick(4);
    const { members, commit } = leader.status;
    expect(members.map((m) => [m.id, m.role, m.matchIndex])).toEqual([
      [1, "leader", commit],
      [2, "follower", commit],
      [3, "follower", commit],
    ]);
    expect(Math.max(...members.map((m) => m.lastContactMs ?? 999))).toBeLessThanOrEqual(20);
    cluster.network.isolate(3);
    await cluster.tick(7);
    expect(leader.status.members[2]?.lastContactMs).toBeGreaterThanOrEqual(60);
    expect(cluster.member(2).status.members.map((m) => m.matchIndex)).toEqual([undefined, commit, undefined]);
  });
});

describe("a restart", () => {
  test("a member that crashed goes on where its state ends", async () => {
    const cluster = new DriverCluster(3);
    const leader = await cluster.elect();
    leader.propose("a");
    await cluster.tick(3);
    cluster.member(3).crash();
    leader.propose("b");
    await cluster.tick(3);
    cluster.member(3).restart();
    await cluster.tick(5);
    expect(cluster.member(3).texts).toEqual(["a", "b"]);
  });

  test("all crash and start again with everything", async () => {
    const cluster = new DriverCluster(3);
    (await cluster.elect()).propose("a", "b");
    await cluster.tick(3);
    for (const member of cluster.up) member.crash();
    for (const member of cluster.members.values()) member.restart();
    const leader = await cluster.elect();
    leader.propose("c");
    await cluster.tick(3);
    for (const member of cluster.up) expect(member.texts).toEqual(["a", "b", "c"]);
  });

  test("a member that crashes between sending and writing comes back without what it had not written", async () => {
    const cluster = new DriverCluster(3);
    const leader = await cluster.elect();
    await cluster.tick(3);
    const { lastIndex } = leader.store.load().shape;
    leader.propose("a");
    leader.turn();
    leader.crash();
    expect(leader.store.load().shape.lastIndex).toBe(lastIndex);
    await cluster.elect();
    leader.restart();
    await cluster.tick(30);
    for (const member of cluster.up) expect(member.texts).toEqual(cluster.leader?.texts ?? []);
  });
});

describe("the loss of a leader", () => {
  test("another is elected, and what was acknowledged is there", async () => {
    const cluster = new DriverCluster(5);
    const first = await cluster.elect();
    first.propose("a");
    await cluster.tick(3);
    first.crash();
    const second = await cluster.elect();
    expect(second.id).not.toBe(first.id);
    second.propose("b");
    await cluster.tick(3);
    first.restart();
    await cluster.tick(10);
    for (const member of cluster.up) expect(member.texts).toEqual(["a", "b"]);
  });

  test("what waits for a leader goes to the next one", async () => {
    const cluster = new DriverCluster(3);
    const first = await cluster.elect();
    await cluster.tick(3);
    first.crash();
    const follower = cluster.member(2);
    await cluster.settle();
    follower.propose("meanwhile");
    await cluster.elect();
    await cluster.tick(3);
    expect(follower.texts).toEqual(["meanwhile"]);
    expect(follower.rejected).toEqual([]);
  });

  test("without a majority proposals and reads end with NO_QUORUM and a hint", async () => {
    const cluster = new DriverCluster(3);
    await cluster.elect();
    await cluster.tick(3);
    cluster.member(1).crash();
    cluster.member(2).crash();
    const last = cluster.member(3);
    await cluster.tick(30);
    const [proposal] = last.propose("a");
    const read = outcomeOf(last.driver.readIndex());
    await cluster.tick(PATIENCE - 1);
    expect(last.rejected).toEqual([]);
    await cluster.tick(2);
    expect(last.rejected.map((r) => [r.proposal, r.cause.reason, r.cause.retryAfterMs])).toEqual([
      [proposal ?? 0, "NO_QUORUM", 500],
    ]);
    expect(last.rejected[0]?.cause.message).toContain("was not stored");
    expect(await read).toContain("NO_QUORUM");
  });

  test("what was forwarded to a leader that is gone has an unknown outcome, and says so once another leads", async () => {
    const cluster = new DriverCluster(3);
    const leader = await cluster.elect();
    await cluster.tick(3);
    const follower = cluster.member(2);
    const [proposal] = follower.propose("a");
    follower.turn();
    await Promise.resolve();
    leader.crash();
    await cluster.elect();
    await cluster.tick(2);
    expect(follower.rejected.map((r) => [r.proposal, r.cause.reason, r.cause.retryAfterMs])).toEqual([
      [proposal ?? 0, "NO_QUORUM", 50],
    ]);
    expect(follower.rejected[0]?.cause.message).toContain("not known whether");
    expect(follower.rejected[0]?.cause.next).toContain("same idempotency key");
  });

  test("a leader cut off drops what the others replace, and says that it was dropped", async () => {
    const cluster = new DriverCluster(3);
    const old = await cluster.elect();
    await cluster.tick(3);
    cluster.network.isolate(old.id);
    const [proposal] = old.propose("alone");
    await cluster.settle();
    const next = await cluster.elect();
    next.propose("together");
    await cluster.tick(3);
    cluster.network.heal();
    await cluster.tick(5);
    expect(old.rejected.map((r) => [r.proposal, r.cause.reason])).toEqual([[proposal ?? 0, "NO_QUORUM"]]);
    expect(old.rejected[0]?.cause.message).toContain("dropped");
    for (const member of cluster.up) expect(member.texts).toEqual(["together"]);
  });

  test("what an earlier term accepted and the next leader keeps is delivered, not rejected", async () => {
    const cluster = new DriverCluster(3);
    const old = await cluster.elect();
    await cluster.tick(3);
    old.propose("kept");
    old.turn();
    await Promise.resolve();
    cluster.network.deliver();
    cluster.member(2).turn();
    cluster.member(3).turn();
    cluster.network.isolate(old.id);
    await cluster.elect();
    cluster.network.heal();
    await cluster.tick(10);
    expect(old.texts).toEqual(["kept"]);
    expect(old.rejected).toEqual([]);
  });

  test("a forwarded proposal is never forwarded again", async () => {
    const cluster = new DriverCluster(3);
    await cluster.elect();
    await cluster.tick(3);
    const data = new TextEncoder().encode("astray");
    cluster.network.give({ from: 2, to: 3, frame: { kind: "forward", proposals: [{ proposal: 7, data }] } });
    cluster.member(3).turn();
    await Promise.resolve();
    expect(cluster.network.held.map((f) => [f.from, f.to, f.frame])).toEqual([
      [3, 2, { kind: "forward-rejected", proposals: [7], reason: "not-leader" }],
    ]);
    await cluster.settle();
    expect(cluster.member(1).texts).toEqual([]);
  });

  test("a frame of forwarded proposals that comes twice is appended once", async () => {
    const cluster = new DriverCluster(3);
    await cluster.elect();
    await cluster.tick(3);
    cluster.member(2).propose("once");
    cluster.member(2).turn();
    await Promise.resolve();
    const [frame] = cluster.network.held.filter((f) => f.frame.kind === "forward");
    await cluster.settle();
    if (frame) cluster.network.give(frame);
    await cluster.tick(3);
    expect(cluster.member(3).texts).toEqual(["once"]);
  });

  test("a leader that was stopped counts the time before it answers a read", async () => {
    const cluster = new DriverCluster(3);
    const old = await cluster.elect();
    await cluster.tick(3);
    // The others go on; the process of the leader stands still, its links are up.
    old.isUp = false;
    for (let i = 0; i < 60; i++) {
      for (const member of cluster.up) member.clock.advance(FAST.tickMs);
      await cluster.settle();
    }
    const next = cluster.leader;
    next?.propose("meanwhile");
    await cluster.settle();
    old.isUp = true;
    old.clock.time = next?.clock.time ?? 0;
    cluster.network.held = [];
    const read = old.driver.readIndex();
    old.turn();
    const answer = await Promise.race([read, Promise.resolve("no answer yet")]);
    expect(answer).toBe("no answer yet");
    await cluster.tick(10);
    expect(await read).toBeGreaterThanOrEqual(next?.applied.index ?? 0);
  });
});
