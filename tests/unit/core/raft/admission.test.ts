/**
 * Shows who is let in: the same cluster, a member, with the data directory that is known;
 * and that a directory that nobody knows comes in only where it can do no harm.
 */
import { describe, expect, test } from "bun:test";
import { logIndex, term } from "../../../../src/base/brand.ts";
import { createPrng } from "../../../../src/base/prng.ts";
import type { AdmissionView, Introduction } from "../../../../src/core/raft/admission.ts";
import { isFounding, judgePeer, meetsStrangers } from "../../../../src/core/raft/admission.ts";
import { EMPTY_LOG, extendLog } from "../../../../src/core/raft/log.ts";
import { NO_MEMBERS, UNJOINED } from "../../../../src/core/raft/membership.ts";
import type { RaftNode } from "../../../../src/core/raft/node-state.ts";
import { createRaftNode } from "../../../../src/core/raft/node-state.ts";
import { step } from "../../../../src/core/raft/raft-node.ts";
import type { Membership, MembershipAt, RaftEffect } from "../../../../src/core/raft/raft-types.ts";

const membership = (stores: readonly string[], departed: readonly number[] = []): Membership => ({
  members: stores.map((storeId, i) => ({ id: i + 1, address: `m${i + 1}:9000`, storeId, isVoter: true })),
  departed,
});

const peer = (memberId: number, storeId: string, clusterId = "c"): Introduction => ({ clusterId, memberId, storeId });

const aView = (view: Partial<AdmissionView> = {}): AdmissionView => ({
  self: peer(1, "s1"),
  memberships: [membership(["s1", "s2", ""])],
  newestAt: logIndex(9),
  knownStores: new Map(),
  meetsStrangers: false,
  ...view,
});

const WELCOME = { kind: "admit", adopts: false, remembers: false } as const;

function refusalOf(view: AdmissionView, who: Introduction): string {
  const verdict = judgePeer(view, who);
  expect(verdict.kind).toBe("refuse");
  return verdict.kind === "refuse" ? verdict.reason : "";
}

describe("whose cluster", () => {
  test("members of one cluster meet, one that waits is let in by it", () => {
    expect(judgePeer(aView(), peer(2, "s2"))).toEqual(WELCOME);
    expect(judgePeer(aView(), peer(2, "s2", ""))).toEqual(WELCOME);
  });

  test("another cluster, and two that wait, are refused", () => {
    expect(refusalOf(aView(), peer(2, "s2", "d"))).toStartWith("server 2 belongs to cluster d, this one to c: if");
    const waiting = aView({ self: peer(1, "s1", ""), memberships: [NO_MEMBERS] });
    expect(refusalOf(waiting, peer(2, "s2", ""))).toContain("start one of them with --bootstrap, once");
  });

  test("one that waits joins whoever has a cluster, and remembers nobody yet", () => {
    const waiting = aView({ self: peer(1, "s1", ""), memberships: [NO_MEMBERS] });
    expect(judgePeer(waiting, peer(2, "any"))).toEqual({ kind: "admit", adopts: true, remembers: false });
    const joined = aView({ memberships: [NO_MEMBERS] });
    expect(judgePeer(joined, peer(3, "any"))).toEqual(WELCOME);
  });

  test("a server does not meet itself, nor one with its id", () => {
    expect(refusalOf(aView(), peer(1, "s1"))).toContain("leads back to this server itself");
    expect(refusalOf(aView(), peer(1, "other"))).toContain("another server has this server's id 1 too");
  });
});

describe("which member", () => {
  test("who does not belong, or was removed, is told how to come in", () => {
    expect(refusalOf(aView(), peer(7, "s7"))).toContain("server 7 does not belong to this cluster");
    const view = aView({ memberships: [membership(["s1", "s2"], [3])] });
    expect(refusalOf(view, peer(3, "s3"))).toContain("server 3 was removed from this cluster");
    expect(refusalOf(view, peer(3, "s3"))).toContain("lattice admin raft add 3");
  });

  test("a removal that is not committed keeps nobody out: that member may be needed to commit it", () => {
    const memberships = [membership(["s1", "s2", "s3"]), membership(["s1", "s2"], [3])];
    expect(judgePeer(aView({ memberships }), peer(3, "s3"))).toEqual(WELCOME);
  });
});

describe("with which data directory", () => {
  test("another one than the member's is refused, wherever it is known from", () => {
    const view = aView({ knownStores: new Map([[3, "s3"]]), meetsStrangers: true });
    for (const [id, known] of [
      [2, "s2"],
      [3, "s3"],
    ] as const) {
      const reason = refusalOf(view, peer(id, "emptied"));
      expect(reason).toContain(`another data directory (emptied) than it had (${known})`);
      expect(reason).toContain(`lattice admin raft remove ${id}`);
    }
    expect(judgePeer(view, peer(3, "s3"))).toEqual(WELCOME);
  });

  test("the membership counts before what was remembered", () => {
    const view = aView({ knownStores: new Map([[2, "before it was replaced"]]) });
    expect(judgePeer(view, peer(2, "s2"))).toEqual(WELCOME);
  });

  test("one that nobody knows is remembered by who meets strangers, and refused by others", () => {
    expect(judgePeer(aView({ meetsStrangers: true }), peer(3, "s3"))).toEqual({
      kind: "admit",
      adopts: false,
      remembers: true,
    });
    expect(refusalOf(aView(), peer(3, "s3"))).toBe("server 3 is not known here yet: the leader has to meet it first");
    const forgotten = aView({ knownStores: new Map([[3, ""]]) });
    expect(refusalOf(forgotten, peer(3, "s3"))).toContain("the leader has to meet it first");
  });
});

test("a member that lags believes one whose log names it in a later membership than any known here", () => {
  const view = aView({ memberships: [membership(["s1", "s2", ""], [4])] });
  for (const id of [2, 4, 5]) {
    expect(judgePeer(view, { ...peer(id, "new"), boundAt: logIndex(10) }).kind).toBe("admit");
    expect(judgePeer(view, { ...peer(id, "new"), boundAt: logIndex(9) }).kind).toBe("refuse");
  }
});

describe("who meets strangers", () => {
  const settings = { electionTicks: 10, heartbeatTicks: 2, batchMax: 9, windowMax: 9, uncommittedBytesMax: 99 };

  function aNode(memberships: readonly MembershipAt[], length: number): RaftNode {
    const log = extendLog(EMPTY_LOG, term(1), length);
    const hardState = { term: term(1), votedFor: undefined, commit: logIndex(0) };
    return createRaftNode({ id: 1, hardState, log, memberships, random: createPrng(1), settings });
  }

  const founded = (stores: readonly string[]): readonly MembershipAt[] => [
    UNJOINED,
    { index: logIndex(1), membership: membership(stores) },
  ];

  /** Lets the node win an election; returns what that election made it do. */
  function lead(node: RaftNode): RaftEffect[] {
    for (let i = 0; i < 20 && node.role !== "pre-candidate"; i++) step(node, { kind: "tick" });
    const from = 2;
    const vote = (inTerm: number, isPreVote: boolean) =>
      step(node, {
        kind: "receive",
        from,
        message: { kind: "vote-reply", term: term(inTerm), isPreVote, isGranted: true },
      });
    vote(2, true);
    step(node, { kind: "persisted", ticket: node.ticket });
    const effects = vote(2, false);
    expect(node.role).toBe("leader");
    return [...effects];
  }

  function confirmRound(node: RaftNode): void {
    const message = { kind: "heartbeat-reply", term: node.term, round: node.round } as const;
    step(node, { kind: "receive", from: 2, message });
  }

  test("the founder, while its log ends with the entry that names it alone", () => {
    expect(meetsStrangers(aNode(founded(["s1", "", ""]), 1))).toBe(true);
    expect(meetsStrangers(aNode(founded(["s1", "", ""]), 2))).toBe(false);
    expect(meetsStrangers(aNode(founded(["s1", "s2", ""]), 1))).toBe(false);
  });

  test("a restored founder, whose log begins after its state", () => {
    const at = { index: logIndex(70), membership: membership(["s1", "", ""]) };
    const log = { compactedIndex: at.index, compactedTerm: term(3), lastIndex: at.index, runs: [] };
    const hardState = { term: term(3), votedFor: undefined, commit: at.index };
    const options = { id: 1, hardState, log, memberships: [at], random: createPrng(1) };
    expect(isFounding(createRaftNode(options))).toBe(true);
  });

  test("no other member, even with only the first entry: the founder may have met the real one", () => {
    expect(meetsStrangers(aNode(founded(["", "s2", ""]), 1))).toBe(false);
    expect(meetsStrangers(aNode([UNJOINED], 0))).toBe(false);
  });

  test("a leader only while it holds its lease: after that another may have met the real one", () => {
    const node = aNode(founded(["s1", "s2", ""]), 1);
    lead(node);
    step(node, { kind: "persisted", ticket: node.ticket });
    expect(meetsStrangers(node)).toBe(false);
    confirmRound(node);
    expect(meetsStrangers(node)).toBe(true);
    for (let i = 0; i < 8; i++) step(node, { kind: "tick" });
    expect(meetsStrangers(node)).toBe(false);
  });

  test("nobody is sent anything before the founder's second entry is durable: then nobody can lead without it", () => {
    const node = aNode(founded(["s1", "", ""]), 1);
    const first = lead(node).filter((e) => e.kind === "replicate");
    expect(first.map((e) => e.after)).toEqual([node.ticket, node.ticket]);
    step(node, { kind: "persisted", ticket: node.ticket });
    const message = {
      kind: "append-reply",
      term: node.term,
      isAccepted: true,
      index: logIndex(2),
      hintIndex: logIndex(2),
      hintTerm: term(0),
      isRecovering: false,
    } as const;
    step(node, { kind: "receive", from: 2, message });
    const next = step(node, { kind: "propose", data: [new Uint8Array(1)] }).filter((e) => e.kind === "replicate");
    expect(next.map((e) => e.after)).toEqual([0]);
  });
});
