/**
 * Shows the five properties of Figure 3 of the Raft paper (extended version), one test
 * each, on five drivers that lose leaders, links and processes for a while. Each test
 * looks after every tick at what its property speaks of.
 */
import { expect, test } from "bun:test";
import { logIndex } from "../../../../src/base/brand.ts";
import { createPrng } from "../../../../src/base/prng.ts";
import type { Entry } from "../../../../src/core/raft/raft-types.ts";
import { DriverCluster, type DriverMember } from "../../../fixtures/driver-cluster.ts";

const ROUNDS = 40;

/** Lets a cluster live through cuts, crashes and elections; calls `look` after each tick. */
async function live(seed: number, look: (cluster: DriverCluster) => void): Promise<DriverCluster> {
  const random = createPrng(seed);
  const cluster = new DriverCluster(5, {}, seed);
  const pass = async (ticks: number) => {
    for (let i = 0; i < ticks; i++) {
      await cluster.tick();
      look(cluster);
    }
  };
  await pass(30);
  for (let round = 0; round < ROUNDS; round++) {
    const member = cluster.member(1 + Math.floor(random() * 5));
    for (const up of cluster.up) up.propose(`${round} of ${up.id}`);
    if (random() < 0.5) for (const up of cluster.up) up.turn();
    const roll = random();
    const leader = cluster.leader ?? member;
    if (roll < 0.35) cluster.network.isolate(leader.id);
    else if (roll < 0.5) cluster.network.isolate(member.id);
    else if (roll < 0.7) (member.isUp ? member : leader).crash();
    else cluster.network.heal();
    await pass(Math.floor(random() * 25));
    for (const down of cluster.members.values()) if (!down.isUp && random() < 0.6) down.restart();
  }
  cluster.network.heal();
  for (const down of cluster.members.values()) if (!down.isUp) down.restart();
  await pass(60);
  // Enough must have happened for the property to mean anything.
  expect(Number(cluster.leader?.status.term)).toBeGreaterThan(6);
  expect(cluster.leader?.texts.length).toBeGreaterThan(ROUNDS);
  return cluster;
}

function logOf(member: DriverMember): readonly Entry[] {
  const { compactedIndex, lastIndex } = member.store.load().shape;
  return lastIndex > compactedIndex ? member.store.read(logIndex(compactedIndex + 1), lastIndex) : [];
}

const shown = ({ index, term, kind, data }: Entry): string =>
  `${index} ${term} ${kind} ${kind === "command" ? new TextDecoder().decode(data) : data.join()}`;

test("Election Safety: at most one leader is elected in a term (§5.2)", async () => {
  const leaders = new Map<number, number>();
  await live(11, (cluster) => {
    for (const { id, statuses } of cluster.members.values()) {
      for (const { leader, term } of statuses.splice(0)) {
        if (leader !== id) continue;
        expect(leaders.get(term) ?? id).toBe(id);
        leaders.set(term, id);
      }
    }
  });
});

test("Leader Append-Only: a leader never overwrites or deletes entries of its log, it only appends (§5.3)", async () => {
  const logs = new Map<string, readonly string[]>();
  await live(12, (cluster) => {
    for (const member of cluster.up.filter((m) => m.isLeader)) {
      const log = logOf(member).map(shown);
      const key = `${member.id} in ${member.status.term}`;
      const before = logs.get(key) ?? [];
      expect(log.slice(0, before.length)).toEqual([...before]);
      logs.set(key, log);
    }
  });
});

test("Log Matching: logs with an entry of the same index and term are the same up to it (§5.3)", async () => {
  await live(13, (cluster) => {
    const logs = [...cluster.members.values()].map(logOf);
    for (const [i, a] of logs.entries()) {
      for (const b of logs.slice(i + 1)) {
        const agreed = a.findLastIndex((entry, at) => b[at]?.index === entry.index && b[at]?.term === entry.term);
        expect(a.slice(0, agreed + 1).map(shown)).toEqual(b.slice(0, agreed + 1).map(shown));
      }
    }
  });
});

test("Leader Completeness: an entry committed in a term is in the log of every later leader (§5.4)", async () => {
  const committed = new Map<number, { readonly entry: string; readonly inTerm: number }>();
  await live(14, (cluster) => {
    for (const member of cluster.up.filter((m) => m.isLeader)) {
      const { term, commit } = member.status;
      const log = new Map(logOf(member).map((entry) => [Number(entry.index), shown(entry)]));
      for (const [index, { entry, inTerm }] of committed) if (inTerm < term) expect(log.get(index)).toBe(entry);
      for (let index = 1; index <= commit; index++) {
        if (!committed.has(index)) committed.set(index, { entry: log.get(index) ?? "", inTerm: term });
      }
    }
  });
});

test("State Machine Safety: no two servers apply different entries at an index (§5.4.3)", async () => {
  // DriverCluster.onApplied asserts it with each entry that any member applies.
  const cluster = await live(15, () => undefined);
  const { texts, applied } = cluster.leader ?? cluster.member(1);
  for (const member of cluster.members.values()) {
    expect(member.applied.index).toBe(applied.index);
    expect(member.texts).toEqual(texts);
  }
  expect(cluster.history.size).toBe(applied.index);
});
