/**
 * Shows the rules of Raft on a member that is the only voter: the order of durability,
 * what is committed and when, and what a restart does. Sections are those of the extended
 * Raft paper.
 */
import { describe, expect, test } from "bun:test";
import { logIndex, term } from "../../../../src/base/brand.ts";
import { createPrng } from "../../../../src/base/prng.ts";
import type { LogShape } from "../../../../src/core/raft/log.ts";
import { EMPTY_LOG, extendLog } from "../../../../src/core/raft/log.ts";
import { soleVoter } from "../../../../src/core/raft/membership.ts";
import type { RaftNode } from "../../../../src/core/raft/node-state.ts";
import { createRaftNode } from "../../../../src/core/raft/node-state.ts";
import { step } from "../../../../src/core/raft/raft-node.ts";
import type { HardState, RaftEffect } from "../../../../src/core/raft/raft-types.ts";

const FIRST: HardState = { term: term(0), votedFor: undefined, commit: logIndex(0) };
const bytes = (text: string) => new TextEncoder().encode(text);

const membership = soleVoter({ id: 1, address: "here:9000", storeId: "s1" });

const aMember = (id: number, hardState: HardState, log: LogShape): RaftNode =>
  createRaftNode({
    id,
    hardState,
    log,
    memberships: [{ index: log.compactedIndex, membership }],
    random: createPrng(1),
  });

/** One line an effect. */
function show(effect: RaftEffect): string {
  switch (effect.kind) {
    case "persist": {
      const entries = effect.entries.map((e) => `${e.index}/${e.term}:${e.kind}`).join(" ");
      const { hardState } = effect;
      return `persist #${effect.ticket} term=${hardState?.term} vote=${hardState?.votedFor} [${entries}]`;
    }
    case "commit":
    case "compact":
      return `${effect.kind} ${effect.index}`;
    case "reject":
      return `reject ${effect.count}`;
    case "role-changed":
      return `${effect.role} of term ${effect.term}`;
    default:
      return effect.kind;
  }
}

const run = (node: RaftNode, input: Parameters<typeof step>[1]) => step(node, input).map(show);

function aLeader(): RaftNode {
  const node = aMember(1, FIRST, EMPTY_LOG);
  step(node, { kind: "start" });
  step(node, { kind: "persisted", ticket: 1 });
  step(node, { kind: "persisted", ticket: 2 });
  return node;
}

describe("election of the only voter (§5.2)", () => {
  test("the vote for itself is durable before the member leads", () => {
    const node = aMember(1, FIRST, EMPTY_LOG);
    expect(run(node, { kind: "start" })).toEqual(["candidate of term 1", "persist #1 term=1 vote=1 []"]);
    expect(node.role).toBe("candidate");
    expect(run(node, { kind: "persisted", ticket: 1 })).toEqual([
      "leader of term 1",
      "persist #2 term=1 vote=1 [1/1:noop]",
    ]);
  });

  test("each start begins a new term, so no term has two leaders", () => {
    const log = extendLog(EMPTY_LOG, term(4), 9);
    const node = aMember(1, { term: term(6), votedFor: 1, commit: logIndex(2) }, log);
    expect(run(node, { kind: "start" })).toEqual(["candidate of term 7", "persist #1 term=7 vote=1 []"]);
  });

  test("a member that has not started or not yet won takes no proposals", () => {
    const node = aMember(1, FIRST, EMPTY_LOG);
    expect(run(node, { kind: "propose", data: [bytes("a"), bytes("b")] })).toEqual(["reject 2"]);
    step(node, { kind: "start" });
    expect(run(node, { kind: "propose", data: [bytes("a")] })).toEqual(["reject 1"]);
  });
});

describe("commit (§5.3, §5.4.2)", () => {
  test("entries of earlier terms are committed through the no-op of the leader's own (§8)", () => {
    const log = extendLog(EMPTY_LOG, term(4), 9);
    const node = aMember(1, { term: term(4), votedFor: 1, commit: logIndex(2) }, log);
    step(node, { kind: "start" });
    expect(run(node, { kind: "persisted", ticket: 1 })).toEqual([
      "leader of term 5",
      "persist #2 term=5 vote=1 [10/5:noop]",
    ]);
    expect(node.commit).toBe(logIndex(2));
    expect(run(node, { kind: "persisted", ticket: 2 })).toEqual(["commit 10"]);
  });

  test("INV-R1: a proposal is committed once its ticket is confirmed, not before", () => {
    const node = aLeader();
    expect(run(node, { kind: "propose", data: [bytes("a"), bytes("b")] })).toEqual([
      "persist #3 term=1 vote=1 [2/1:command 3/1:command]",
    ]);
    expect(node.commit).toBe(logIndex(1));
    expect(run(node, { kind: "persisted", ticket: 3 })).toEqual(["commit 3"]);
  });

  test("INV-R1: with two writes under way, each confirms its own entries", () => {
    const node = aLeader();
    step(node, { kind: "propose", data: [bytes("a")] });
    step(node, { kind: "propose", data: [bytes("b"), bytes("c")] });
    expect(run(node, { kind: "persisted", ticket: 3 })).toEqual(["commit 2"]);
    expect(run(node, { kind: "persisted", ticket: 4 })).toEqual(["commit 4"]);
  });

  test("a ticket confirmed out of order is a bug of the driver", () => {
    const node = aLeader();
    step(node, { kind: "propose", data: [bytes("a")] });
    step(node, { kind: "propose", data: [bytes("b")] });
    expect(() => step(node, { kind: "persisted", ticket: 4 })).toThrow("out of order");
  });

  test("no proposals, ticks and messages of strangers do nothing", () => {
    const node = aLeader();
    expect(run(node, { kind: "propose", data: [] })).toEqual([]);
    expect(run(node, { kind: "tick" })).toEqual([]);
    const reply = { kind: "heartbeat-reply", term: term(1), round: 1 } as const;
    expect(run(node, { kind: "receive", from: 2, message: reply })).toEqual([]);
  });
});

describe("compaction (§7)", () => {
  test("only what is committed is forgotten", () => {
    const node = aLeader();
    step(node, { kind: "propose", data: [bytes("a"), bytes("b")] });
    expect(run(node, { kind: "compact", index: logIndex(3) })).toEqual(["compact 1"]);
    step(node, { kind: "persisted", ticket: 3 });
    expect(run(node, { kind: "compact", index: logIndex(3) })).toEqual(["compact 3"]);
    expect(run(node, { kind: "compact", index: logIndex(2) })).toEqual([]);
  });

  test("a member knows that what was compacted was committed", () => {
    const log = { ...extendLog(EMPTY_LOG, term(2), 5), compactedIndex: logIndex(5), compactedTerm: term(2), runs: [] };
    expect(aMember(1, { term: term(2), votedFor: 1, commit: logIndex(1) }, log).commit).toBe(logIndex(5));
  });
});
