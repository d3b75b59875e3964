/**
 * Shows, on one member of three whose messages the test writes by hand, the rules that
 * random orders seldom reach: what may not be counted, who may not vote, what is refused.
 */
import { describe, expect, test } from "bun:test";
import { present } from "../../../../src/base/assert.ts";
import { logIndex, term } from "../../../../src/base/brand.ts";
import { createPrng } from "../../../../src/base/prng.ts";
import type { LogShape } from "../../../../src/core/raft/log.ts";
import { EMPTY_LOG, extendLog } from "../../../../src/core/raft/log.ts";
import { changeMembership, decodeMembership, encodeMembership } from "../../../../src/core/raft/membership.ts";
import type { RaftNode } from "../../../../src/core/raft/node-state.ts";
import { createRaftNode } from "../../../../src/core/raft/node-state.ts";
import { step } from "../../../../src/core/raft/raft-node.ts";
import type { Membership, RaftEffect, RaftMessage } from "../../../../src/core/raft/raft-types.ts";

const THREE: Membership = {
  members: [1, 2, 3].map((id) => ({ id, address: `m${id}:9000`, storeId: `s${id}`, isVoter: true })),
  departed: [],
};
const settings = { electionTicks: 10, heartbeatTicks: 2, batchMax: 100, windowMax: 200, uncommittedBytesMax: 10 };

function aMember(log: LogShape, inTerm: number, recoverUntil = 0): RaftNode {
  const hardState = {
    term: term(inTerm),
    votedFor: undefined,
    commit: logIndex(0),
    ...(recoverUntil > 0 && { recoverUntil: logIndex(recoverUntil) }),
  };
  const memberships = [{ index: logIndex(0), membership: THREE }];
  return createRaftNode({ id: 1, hardState, log, memberships, random: createPrng(1), settings });
}

const receive = (node: RaftNode, from: number, message: RaftMessage) => step(node, { kind: "receive", from, message });
const kinds = (effects: readonly RaftEffect[]) => effects.map((e) => e.kind);

/** Confirms every write that is under way, and those that follow. */
function write(node: RaftNode): RaftEffect[] {
  const effects: RaftEffect[] = [];
  for (let next = node.writes[0]; next; next = node.writes[0]) {
    effects.push(...step(node, { kind: "persisted", ticket: next.ticket }));
  }
  return effects;
}

function lead(node: RaftNode): void {
  for (let i = 0; i < 20 && node.role === "follower"; i++) step(node, { kind: "tick" });
  const next = term(node.term + 1);
  receive(node, 2, { kind: "vote-reply", term: next, isPreVote: true, isGranted: true });
  write(node);
  receive(node, 2, { kind: "vote-reply", term: next, isPreVote: false, isGranted: true });
  expect(node.role).toBe("leader");
}

const appended = (node: RaftNode, index: number, isRecovering = false): RaftMessage => ({
  kind: "append-reply",
  term: node.term,
  isAccepted: true,
  index: logIndex(index),
  hintIndex: logIndex(index),
  hintTerm: term(0),
  isRecovering,
});

const vote = (inTerm: number, last: number, lastTerm: number): RaftMessage => ({
  kind: "vote",
  term: term(inTerm),
  lastIndex: logIndex(last),
  lastTerm: term(lastTerm),
  isPreVote: false,
  isTransfer: false,
});

const votes = (effects: readonly RaftEffect[]) =>
  effects.flatMap((e) =>
    e.kind === "send" && e.message.kind === "vote-reply" ? [[e.message.isGranted, e.after]] : [],
  );

describe("what a leader counts", () => {
  test("an entry of an earlier term on a majority is not committed by counting (§5.4.2, Figure 8)", () => {
    const node = aMember(extendLog(EMPTY_LOG, term(2), 2), 3);
    lead(node);
    expect(kinds(receive(node, 2, appended(node, 2)))).not.toContain("commit");
    expect(node.commit).toBe(logIndex(0));
    write(node);
    expect(kinds(receive(node, 2, appended(node, 3)))).toContain("commit");
    expect(node.commit).toBe(logIndex(3));
  });

  test("INV-R1: the leader's own entry counts only once it is durable", () => {
    const node = aMember(EMPTY_LOG, 1);
    lead(node);
    receive(node, 2, appended(node, 1));
    expect(node.commit).toBe(logIndex(0));
    expect(kinds(write(node))).toContain("commit");
  });

  test("two followers commit what the leader has not yet written itself", () => {
    const node = aMember(EMPTY_LOG, 1);
    lead(node);
    receive(node, 2, appended(node, 1));
    expect(kinds(receive(node, 3, appended(node, 1)))).toContain("commit");
  });

  test("a member that recovers from damage does not count", () => {
    const node = aMember(EMPTY_LOG, 1);
    lead(node);
    write(node);
    expect(kinds(receive(node, 2, appended(node, 1, true)))).not.toContain("commit");
    expect(kinds(receive(node, 3, appended(node, 1)))).toContain("commit");
  });

  test("a member that was damaged under the same leader is filled again from where its log ends", () => {
    const node = aMember(EMPTY_LOG, 1);
    lead(node);
    write(node);
    for (let i = 0; i < 3; i++) step(node, { kind: "propose", data: [new Uint8Array(1)] });
    write(node);
    receive(node, 2, appended(node, 4));
    const refused = { isAccepted: false, hintIndex: logIndex(1), hintTerm: node.term, isRecovering: true };
    const effects = receive(node, 2, { kind: "append-reply", term: node.term, index: logIndex(4), ...refused });
    expect(effects.flatMap((e) => (e.kind === "replicate" ? [[e.to, Number(e.first), Number(e.last)]] : []))).toEqual([
      [2, 2, 4],
    ]);
  });

  test("a member that is whole again counts at once, with what it holds already", () => {
    const node = aMember(EMPTY_LOG, 1);
    lead(node);
    write(node);
    receive(node, 2, appended(node, 1, true));
    expect(kinds(receive(node, 2, appended(node, 1)))).toContain("commit");
  });

  test("a member that comes back with the whole log is told what is committed, though nothing is proposed", () => {
    const node = aMember(EMPTY_LOG, 1);
    lead(node);
    write(node);
    receive(node, 2, appended(node, 1));
    step(node, { kind: "unreachable", member: 2 });
    for (let i = 0; i < 2; i++) step(node, { kind: "tick" });
    const effects = receive(node, 2, { kind: "heartbeat-reply", term: node.term, round: node.round });
    expect(effects).toMatchObject([{ kind: "replicate", to: 2, first: 2, last: 1, commit: 1 }]);
  });

  test("a late answer to what was sent before the link was lost does not hide that its member comes back", () => {
    const node = aMember(EMPTY_LOG, 1);
    lead(node);
    write(node);
    receive(node, 2, appended(node, 1));
    step(node, { kind: "unreachable", member: 2 });
    receive(node, 2, appended(node, 1));
    for (let i = 0; i < 2; i++) step(node, { kind: "tick" });
    const effects = receive(node, 2, { kind: "heartbeat-reply", term: node.term, round: node.round });
    expect(effects).toMatchObject([{ kind: "replicate", to: 2, first: 2, last: 1, commit: 1 }]);
  });

  test("a removal that comes late is refused: the members are others than those that were seen", () => {
    const node = aMember(EMPTY_LOG, 1);
    lead(node);
    write(node);
    for (const id of [2, 3]) receive(node, id, appended(node, 1));
    const remove = (seenAt: number) =>
      step(node, { kind: "change-members", change: { kind: "remove", id: 3, seenAt: logIndex(seenAt) } });
    expect(remove(5)).toMatchObject([
      { kind: "change-refused", reason: expect.stringContaining("have changed since") },
    ]);
    expect(kinds(remove(0))).toContain("membership-changed");
  });

  test("proposals beyond the bound are rejected until something commits", () => {
    const node = aMember(EMPTY_LOG, 1);
    lead(node);
    step(node, { kind: "propose", data: [new Uint8Array(11)] });
    expect(step(node, { kind: "propose", data: [new Uint8Array(1)] })).toEqual([
      { kind: "reject", count: 1, reason: "overloaded", leader: 1 },
    ]);
    write(node);
    receive(node, 2, appended(node, 2));
    expect(kinds(step(node, { kind: "propose", data: [new Uint8Array(1)] }))).toContain("persist");
  });

  test("appends travel while the leader's own write is under way", () => {
    const node = aMember(EMPTY_LOG, 1);
    lead(node);
    receive(node, 2, appended(node, 1));
    const effects = step(node, { kind: "propose", data: [new Uint8Array(1)] });
    expect(node.durableIndex).toBe(logIndex(0));
    expect(effects.flatMap((e) => (e.kind === "replicate" ? [[e.to, Number(e.first), Number(e.last)]] : []))).toEqual([
      [2, 2, 2],
    ]);
  });

  test("a leader that hears no majority steps down (thesis §6.2)", () => {
    const node = aMember(EMPTY_LOG, 1);
    lead(node);
    for (let i = 0; i < 20; i++) step(node, { kind: "tick" });
    expect([node.role, node.leader]).toEqual(["follower", undefined]);
  });
});

describe("who may vote", () => {
  test("a vote leaves only once it is durable, and only one a term (§5.2)", () => {
    const node = aMember(EMPTY_LOG, 0);
    expect(votes(receive(node, 2, vote(1, 0, 0)))).toEqual([[true, node.ticket]]);
    expect(votes(receive(node, 3, vote(1, 0, 0)))).toEqual([[false, node.ticket]]);
  });

  test("a log that lacks entries gets no vote (§5.4.1)", () => {
    const node = aMember(extendLog(EMPTY_LOG, term(1), 2), 0);
    expect(votes(receive(node, 2, vote(2, 1, 1)))[0]?.[0]).toBe(false);
    expect(votes(receive(node, 3, vote(3, 1, 2)))[0]?.[0]).toBe(true);
  });

  test("a member that restarts grants nothing for an election span: it may have confirmed a lease", () => {
    const node = aMember(EMPTY_LOG, 4);
    expect(receive(node, 2, vote(5, 0, 0))).toEqual([]);
    for (let i = 0; i < 10; i++) step(node, { kind: "tick" });
    expect(votes(receive(node, 2, vote(5, 0, 0)))[0]?.[0]).toBe(true);
  });

  test("a damaged member neither votes nor stands until it has committed again what it acknowledged", () => {
    const node = aMember(EMPTY_LOG, 0, 2);
    expect(votes(receive(node, 2, vote(1, 9, 1)))[0]?.[0]).toBe(false);
    for (let i = 0; i < 60; i++) step(node, { kind: "tick" });
    expect(node.role).toBe("follower");
    const entries = [1, 2].map((index) => {
      return { index: logIndex(index), term: term(1), kind: "command" as const, data: new Uint8Array() };
    });
    const append = { kind: "append", term: term(1), prevIndex: logIndex(0), prevTerm: term(0), entries } as const;
    receive(node, 3, { ...append, commit: logIndex(0) });
    write(node);
    expect(node.recoverUntil).toBe(logIndex(2));
    // The leader hears of it although there is nothing more to append.
    const heartbeat = { kind: "heartbeat", term: term(1), commit: logIndex(2), round: 1 } as const;
    const effects = receive(node, 3, heartbeat);
    expect(node.recoverUntil).toBe(logIndex(0));
    const replies = effects.flatMap((e) => (e.kind === "send" && e.message.kind === "append-reply" ? [e] : []));
    expect(replies.map((e) => [e.after, e.message])).toMatchObject([
      [node.ticket, { isAccepted: true, index: logIndex(2), isRecovering: false }],
    ]);
  });
});

describe("members", () => {
  test("a membership comes back from its bytes", () => {
    const membership = { ...THREE, departed: [7, 70_000] };
    expect(decodeMembership(encodeMembership(membership))).toEqual(membership);
  });

  test("the last voter stays, and a removed one is remembered until it is added", () => {
    const removed = changeMembership(THREE, { kind: "remove", id: 2 });
    expect(removed.ok && removed.value.departed).toEqual([2]);
    if (!removed.ok) return;
    const back = changeMembership(removed.value, { kind: "add-learner", id: 2, address: "x:1", storeId: "other" });
    expect(back.ok && [back.value.departed, back.value.members.map((m) => m.id)]).toEqual([[], [1, 2, 3]]);
    const sole = { members: THREE.members.slice(0, 1), departed: [] };
    expect(changeMembership(sole, { kind: "remove", id: 1 }).ok).toBe(false);
  });

  test("a member that moved is found at its other address, and nothing else of it changes", () => {
    const moved = changeMembership(THREE, { kind: "move", id: 2, address: "elsewhere:1" });
    const [, second] = THREE.members;
    expect(moved.ok && moved.value.members[1]).toEqual({ ...present(second, "member 2"), address: "elsewhere:1" });
    if (moved.ok) expect(changeMembership(moved.value, { kind: "move", id: 2, address: "elsewhere:1" }).ok).toBe(false);
    expect(changeMembership(THREE, { kind: "move", id: 9, address: "elsewhere:1" }).ok).toBe(false);
  });

  test("no change before the leader has committed an entry of its term, nor while one is under way", () => {
    const node = aMember(EMPTY_LOG, 1);
    lead(node);
    const remove = (id: number) => step(node, { kind: "change-members", change: { kind: "remove", id } });
    expect(kinds(remove(3))).toEqual(["change-refused"]);
    write(node);
    receive(node, 2, appended(node, 1));
    expect(kinds(remove(3))).toContain("membership-changed");
    expect(kinds(remove(2))).toEqual(["change-refused"]);
  });
});
