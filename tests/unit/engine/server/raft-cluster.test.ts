/**
 * Shows that drivers over links elect, commit, forward, fail over and start again, three
 * and five of them in one thread, with time in the test's hand.
 */
import { describe, expect, test } from "bun:test";
import { DriverCluster } from "../../../fixtures/driver-cluster.ts";

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

  test("commits what any member proposes, in one order everywhere", async () => {
    const cluster = new DriverCluster(3);
    await cluster.elect();
    for (const member of cluster.up) member.propose(`a${member.id}`, `b${member.id}`);
    await cluster.tick(3);
    const { texts } = cluster.member(1);
    expect(texts.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(["a1", "a2", "a3", "b1", "b2", "b3"]);
    for (const member of cluster.up) expect(member.texts).toEqual(texts);
  });

  test("a member that crashes starts again where its state ends", async () => {
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
});
