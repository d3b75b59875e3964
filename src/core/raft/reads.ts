/**
 * Linearizable reads without a log entry (thesis §6.4): the leader names its commit index
 * once it is sure that it still leads, by a lease (§6.4.1) or by a round of heartbeats; a
 * follower asks the leader and waits until it has applied that index itself.
 */
import { termAt } from "./log.ts";
import { isSoleVoter } from "./membership.ts";
import type { RaftNode } from "./node-state.ts";
import { membershipOf, send } from "./node-state.ts";
import type { MemberId, RaftMessage } from "./raft-types.ts";
import { answer, beginRound } from "./rounds.ts";

type ReadIndex = RaftMessage & { readonly kind: "read-index" };
type ReadIndexReply = RaftMessage & { readonly kind: "read-index-reply" };

/** Answers, asks the leader, or fails at once when there is none. */
export function read(node: RaftNode, ticket: number): void {
  if (node.role === "leader") {
    readAsLeader(node, ticket, undefined);
    return;
  }
  if (node.leader === undefined) {
    node.out.push({ kind: "read-failed", ticket, leader: undefined });
    return;
  }
  node.askedReads.set(ticket, node.now);
  send(node, node.leader, { message: { kind: "read-index", term: node.term, ticket } });
}

/** A follower's reader asks. */
export function onReadIndex(node: RaftNode, from: MemberId, { ticket }: ReadIndex): void {
  if (node.role === "leader") {
    readAsLeader(node, ticket, from);
    return;
  }
  send(node, from, { message: { kind: "read-index-reply", term: node.term, ticket, index: undefined } });
}

/** The leader has answered a reader of this member. */
export function onReadIndexReply(node: RaftNode, { ticket, index }: ReadIndexReply): void {
  if (!node.askedReads.delete(ticket)) return;
  node.out.push(
    index === undefined ? { kind: "read-failed", ticket, leader: node.leader } : { kind: "read-ready", ticket, index },
  );
}

/** Fails what the leader did not answer within an election span. */
export function expireReads(node: RaftNode): void {
  for (const [ticket, at] of node.askedReads) {
    if (node.now - at < node.settings.electionTicks) continue;
    node.askedReads.delete(ticket);
    node.out.push({ kind: "read-failed", ticket, leader: node.leader });
  }
}

function readAsLeader(node: RaftNode, ticket: number, from: MemberId | undefined): void {
  // §8: before its no-op is committed a leader does not know the commit index.
  const knowsCommit = termAt(node.log, node.commit) === node.term;
  const index = knowsCommit ? node.commit : node.termStart;
  // Not a leader that removes itself and leaves one voter: that one may be elected by itself.
  const isSole = isSoleVoter(membershipOf(node), node.id);
  const holdsLease = node.now < node.leaseUntil && node.transferTo === undefined;
  if (knowsCommit && (isSole || holdsLease)) {
    answer(node, { ticket, from, index });
    return;
  }
  node.pendingReads.push({ ticket, from, index, round: node.round + 1 });
  // Reads that come while a round is under way share the next one.
  if (node.rounds.length <= 1) beginRound(node);
}
