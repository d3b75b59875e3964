/** Shows that whoever asks for a change of the leader hears how it ends, whoever leads then. */
import { describe, expect, test } from "bun:test";
import { logIndex, term } from "../../../../../src/base/brand.ts";
import { createPrng } from "../../../../../src/base/prng.ts";
import { EMPTY_LOG } from "../../../../../src/core/raft/log.ts";
import { createRaftNode } from "../../../../../src/core/raft/node-state.ts";
import { RaftChanges } from "../../../../../src/engine/server/raft/raft-changes.ts";

/** A leader of term 1 that was asked to hand over to member 2. */
function handingOver() {
  const hardState = { term: term(1), votedFor: 1, commit: logIndex(0) };
  const node = createRaftNode({ id: 1, hardState, log: EMPTY_LOG, memberships: [], random: createPrng(1) });
  const lead = (inTerm: number, leader: number | undefined): void => {
    node.term = term(inTerm);
    node.leader = leader;
    node.role = leader === 1 ? "leader" : "follower";
    changes.onLeader();
  };
  const changes = new RaftChanges(node, () => [], 30);
  let end = "";
  lead(1, 1);
  changes.transfer(2, {
    resolve: () => {
      end = "done";
    },
    reject: (error) => {
      end = error.message;
    },
  });
  return { lead, end: () => end };
}

describe("a transfer", () => {
  test("is done when the member leads", () => {
    const { lead, end } = handingOver();
    lead(1, 1);
    expect(end()).toBe("");
    lead(2, undefined);
    expect(end()).toBe("");
    lead(2, 2);
    expect(end()).toBe("done");
  });

  test("has failed when another leads, or this member again", () => {
    for (const leader of [3, 1]) {
      const { lead, end } = handingOver();
      lead(1, undefined);
      lead(2, leader);
      expect(end()).toBe(`member ${leader} took over, not member 2`);
    }
  });
});
