/**
 * Shows how drivers change who belongs to the cluster and who leads it, how one that lags
 * gets a snapshot, and that a server whose directory was emptied or whose log was damaged
 * does not pass for the one that it was.
 */
import { describe, expect, test } from "bun:test";
import { logIndex } from "../../../../src/base/brand.ts";
import { DriverCluster, type DriverMember, outcomeOf } from "../../../fixtures/driver-cluster.ts";

/** A cluster that has settled, and its leader. */
async function aCluster(count = 3): Promise<{ cluster: DriverCluster; leader: DriverMember }> {
  const cluster = new DriverCluster(count);
  const leader = await cluster.elect();
  await cluster.tick(4);
  return { cluster, leader };
}

async function change(
  cluster: DriverCluster,
  at: DriverMember,
  what: Parameters<DriverMember["driver"]["changeMembers"]>[0],
) {
  const outcome = outcomeOf(at.driver.changeMembers(what));
  await cluster.tick(5);
  return outcome;
}

const roles = (member: DriverMember) => member.status.members.map((m) => `${m.id} ${m.role}`);

const fill = async (cluster: DriverCluster, leader: DriverMember, count: number) => {
  for (let i = 0; i < count; i += 10) {
    leader.propose(...Array.from({ length: 10 }, (_, j) => `${i + j}`));
    await cluster.tick();
  }
};

describe("members", () => {
  test("one is added as a learner, catches up, is promoted and then counts", async () => {
    const { cluster, leader } = await aCluster();
    leader.propose("a");
    const added = cluster.addEmpty(4);
    await cluster.tick(3);
    expect(added.status.members).toEqual([]);
    expect(await change(cluster, leader, { kind: "add-learner", id: 4, address: "m4:9000", storeId: "" })).toBe(
      undefined,
    );
    expect(roles(leader)).toEqual(["1 leader", "2 follower", "3 follower", "4 learner"]);
    expect(added.texts).toEqual(["a"]);
    expect(added.applied.membership.membership.members[3]?.storeId).toBe("s4");
    expect(await change(cluster, leader, { kind: "promote", id: 4 })).toBe(undefined);
    cluster.member(3).crash();
    leader.propose("b");
    await cluster.tick(3);
    expect(added.texts).toEqual(["a", "b"]);
    cluster.member(2).crash();
    leader.propose("c");
    await cluster.tick(3);
    expect(leader.texts).toEqual(["a", "b"]);
  });

  test("one is removed: it is told why it is not let in, and nobody waits for it", async () => {
    const { cluster, leader } = await aCluster();
    expect(await change(cluster, leader, { kind: "remove", id: 3 })).toBe(undefined);
    expect(roles(leader)).toEqual(["1 leader", "2 follower"]);
    expect(cluster.network.isLinked(1, 3)).toBe(false);
    await cluster.tick(60);
    expect(cluster.leader).toBe(leader);
    expect(cluster.network.refusals.get("1-3") ?? "server 3 was removed").toContain("server 3 was removed");
  });

  test("a leader that removes itself leads until that is committed (§6)", async () => {
    const { cluster, leader } = await aCluster();
    expect(await change(cluster, leader, { kind: "remove", id: 1 })).toBe(undefined);
    const next = await cluster.elect();
    expect(next.id).not.toBe(1);
    expect(next.status.members.map((m) => m.id)).toEqual([2, 3]);
    next.propose("a");
    await cluster.tick(3);
    expect(next.texts).toEqual(["a"]);
  });

  test("a dead one is replaced under its id by another data directory", async () => {
    const { cluster, leader } = await aCluster();
    cluster.member(3).crash();
    leader.propose("a");
    await cluster.tick(3);
    cluster.member(3).restartEmpty("new");
    await cluster.tick(5);
    expect(cluster.network.refusals.get("1-3")).toContain("another data directory (new) than it had (s3)");
    expect(await change(cluster, leader, { kind: "remove", id: 3 })).toBe(undefined);
    expect(await change(cluster, leader, { kind: "add-learner", id: 3, address: "m3:9000", storeId: "" })).toBe(
      undefined,
    );
    expect(await change(cluster, leader, { kind: "promote", id: 3 })).toBe(undefined);
    expect(cluster.member(3).texts).toEqual(["a"]);
    expect(cluster.member(2).applied.membership.membership.members[2]).toMatchObject({ storeId: "new", isVoter: true });
  });

  test("a change that cannot be made is refused with the reason", async () => {
    const { cluster, leader } = await aCluster();
    expect(await change(cluster, cluster.member(2), { kind: "remove", id: 3 })).toBe(
      "NOT_LEADER: this member is not the leader",
    );
    expect(await change(cluster, leader, { kind: "promote", id: 2 })).toBe(
      "ILLEGAL_TRANSITION: member 2 is a voter already",
    );
    const both = [2, 3].map((id) => outcomeOf(leader.driver.changeMembers({ kind: "remove", id })));
    await cluster.tick(3);
    expect(await Promise.all(both)).toEqual([
      undefined,
      "ILLEGAL_TRANSITION: another change of the members is under way",
    ]);
  });

  test("a change whose leader is lost has an unknown outcome", async () => {
    const { cluster, leader } = await aCluster();
    cluster.network.isolate(1);
    const outcome = outcomeOf(leader.driver.changeMembers({ kind: "remove", id: 3 }));
    await cluster.tick(90);
    expect(await outcome).toContain("not known whether the members were changed");
  });
});

describe("a transfer", () => {
  test("ends when the other leads; nothing is lost on the way", async () => {
    const { cluster, leader } = await aCluster();
    const outcome = outcomeOf(leader.driver.transfer(3));
    leader.propose("from the old leader");
    cluster.member(2).propose("from a follower");
    await cluster.tick(5);
    expect(await outcome).toBe(undefined);
    expect(cluster.leader?.id).toBe(3);
    const { texts } = cluster.member(3);
    expect(texts.toSorted()).toEqual(["from a follower", "from the old leader"]);
    for (const member of cluster.up) {
      expect(member.texts).toEqual(texts);
      expect(member.rejected).toEqual([]);
    }
  });

  test("to one that cannot take over is refused or given up", async () => {
    const { cluster, leader } = await aCluster();
    const settled = async (outcome: Promise<unknown>, ticks: number) => {
      await cluster.tick(ticks);
      return outcome;
    };
    const ask = (member: DriverMember, to: number) => outcomeOf(member.driver.transfer(to));
    expect(await settled(ask(cluster.member(2), 3), 2)).toBe("NOT_LEADER: this member is not the leader");
    expect(await settled(ask(leader, 9), 2)).toBe("ILLEGAL_TRANSITION: member 9 is not a voter");
    cluster.network.isolate(3);
    leader.propose("a");
    await cluster.tick(2);
    const first = ask(leader, 3);
    const second = ask(leader, 2);
    expect(await settled(second, 1)).toBe("ILLEGAL_TRANSITION: another transfer is under way");
    expect(await settled(first, 12)).toBe("ILLEGAL_TRANSITION: member 3 did not take over in time");
    leader.propose("b");
    await cluster.tick(3);
    expect(leader.texts).toEqual(["a", "b"]);
  });
});

describe("a member that lags", () => {
  test("gets the tail that the leader keeps, without a snapshot", async () => {
    const { cluster, leader } = await aCluster();
    cluster.member(3).crash();
    await fill(cluster, leader, 10);
    for (const member of cluster.up) member.driver.compact(member.applied.index);
    await cluster.tick(2);
    cluster.member(3).restart();
    await cluster.tick(8);
    expect(cluster.member(3).texts).toEqual(leader.texts);
    expect(cluster.snapshots.size).toBe(0);
    expect(leader.store.load().shape.compactedIndex).toBe(leader.applied.index);
  });

  test("further behind gets a snapshot, and the entries after it", async () => {
    const { cluster, leader } = await aCluster();
    cluster.member(3).crash();
    await fill(cluster, leader, 60);
    for (const member of cluster.up) member.driver.compact(member.applied.index);
    await cluster.tick(2);
    expect(Number(leader.store.load().shape.compactedIndex)).toBe(leader.applied.index - 20);
    cluster.member(3).restart();
    await cluster.tick(4);
    leader.propose("after");
    await cluster.tick(8);
    expect(cluster.snapshots.size).toBe(1);
    expect(cluster.member(3).texts).toEqual(leader.texts);
    // The same once more, while the state may still be read from it: it stays.
    const [[path] = [""]] = cluster.snapshots;
    const { compactedIndex, compactedTerm } = cluster.member(3).store.load().shape;
    const { membership } = leader.applied;
    const meta = { index: compactedIndex, term: compactedTerm, membership };
    cluster.network.bring(3, { id: 1, term: leader.status.term }, { meta, path });
    await cluster.tick(2);
    expect(cluster.member(3).discarded).toEqual([]);
    expect(cluster.member(3).applied).toEqual(leader.applied);
    cluster.member(3).crash();
    cluster.member(3).restart();
    await cluster.tick(5);
    expect(cluster.member(3).texts).toEqual(leader.texts);
    expect(cluster.member(3).failures).toEqual([]);
  });

  test("a snapshot that does not arrive is sent again", async () => {
    const { cluster, leader } = await aCluster();
    cluster.member(3).crash();
    await fill(cluster, leader, 60);
    leader.driver.compact(leader.applied.index);
    await cluster.tick(2);
    const wanted = leader.onSnapshotWanted.bind(leader);
    let failures = 2;
    leader.onSnapshotWanted = (order) => (failures-- > 0 ? Promise.reject(new Error("broken off")) : wanted(order));
    cluster.member(3).restart();
    await cluster.tick(20);
    expect(failures).toBeLessThan(0);
    expect(cluster.member(3).texts).toEqual(leader.texts);
  });

  test("a snapshot that is not needed any more changes nothing and is removed", async () => {
    const { cluster, leader } = await aCluster();
    await fill(cluster, leader, 10);
    const [meta, path] = [cluster.member(3).applied, "nobody reads this"];
    const before = cluster.member(3).texts;
    cluster.network.bring(3, { id: 1, term: leader.status.term }, { meta, path });
    await cluster.tick(3);
    expect(cluster.member(3).texts).toEqual(before);
    expect(cluster.member(3).discarded).toEqual([path]);
    leader.propose("b");
    await cluster.tick(3);
    expect(cluster.member(3).texts).toEqual(leader.texts);
  });
});

describe("a server that is not the one that it was", () => {
  test("with an emptied directory votes for nobody: acknowledged entries cannot be outvoted", async () => {
    const { cluster, leader } = await aCluster();
    cluster.network.isolate(2);
    leader.propose("acknowledged by 1 and 3");
    await cluster.tick(3);
    expect(leader.texts).toEqual(["acknowledged by 1 and 3"]);
    cluster.member(3).crash();
    leader.crash();
    cluster.network.heal();
    cluster.member(3).restartEmpty("emptied");
    await cluster.tick(100);
    expect(cluster.leader).toBeUndefined();
    leader.restart();
    await cluster.elect();
    await cluster.tick(5);
    expect(cluster.member(2).texts).toEqual(["acknowledged by 1 and 3"]);
  });

  test("with a damaged log neither votes nor counts until it holds what it acknowledged, then does", async () => {
    const { cluster, leader } = await aCluster();
    leader.propose("a", "b", "c");
    await cluster.tick(3);
    const damaged = cluster.member(3);
    damaged.crash();
    const { hardState, shape } = damaged.store.load();
    const cutAt = logIndex(shape.lastIndex - 2);
    const commit = logIndex(cutAt - 1);
    damaged.store.failsWith = undefined;
    damaged.store.persist({
      hardState: { ...hardState, commit, recoverUntil: shape.lastIndex },
      truncateFrom: cutAt,
      entries: [],
    });
    damaged.restart();
    cluster.network.isolate(3);
    leader.crash();
    await cluster.tick(60);
    cluster.network.heal();
    await cluster.tick(60);
    // It alone would make the majority, and must not.
    expect(cluster.leader).toBeUndefined();
    leader.restart();
    await cluster.elect();
    await cluster.tick(5);
    expect(damaged.texts).toEqual(["a", "b", "c"]);
    expect(damaged.failures).toEqual([]);
    expect(damaged.store.load().hardState.recoverUntil ?? 0).toBe(0);
    cluster.leader?.crash();
    const next = await cluster.elect();
    next.propose("d");
    await cluster.tick(3);
    expect(damaged.texts).toEqual(["a", "b", "c", "d"]);
  });
});
