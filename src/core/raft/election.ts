/**
 * How a leader is found: silence, the question before the election (pre-vote, thesis
 * §9.6), the vote (§5.2, §5.4.1) and a leader's request to take over (thesis §3.10).
 * A member that heard a leader within the shortest election span grants nothing, so that
 * a removed or cut-off member cannot disturb (thesis §4.2.3) and a lease can be trusted.
 */
import type { Term } from "../../base/brand.ts";
import { term } from "../../base/brand.ts";
import { lastTerm } from "./log.ts";
import { isVoter, majorityOf, votersOf } from "./membership.ts";
import type { RaftNode } from "./node-state.ts";
import {
  announce,
  becomeFollower,
  drawTimeout,
  idleRole,
  membershipOf,
  pendingTicket,
  persist,
  possibleMemberships,
  send,
} from "./node-state.ts";
import type { MemberId, RaftMessage } from "./raft-types.ts";
import { expireReads } from "./reads.ts";
import { becomeLeader } from "./replication.ts";

type Vote = RaftMessage & { readonly kind: "vote" };
type VoteReply = RaftMessage & { readonly kind: "vote-reply" };

/** A member that hears no leader for its timeout asks whether an election would succeed. */
export function tickFollower(node: RaftNode): void {
  expireReads(node);
  if (node.now - node.heardAt < node.timeout) return;
  node.heardAt = node.now;
  if (canStand(node)) {
    campaign(node, "pre-vote");
    return;
  }
  drawTimeout(node);
  if (node.leader !== undefined) becomeFollower(node, node.term, undefined);
}

/** Stands for election in the next term, or asks first. */
export function campaign(node: RaftNode, purpose: "pre-vote" | "election" | "transfer"): void {
  node.votes.clear();
  node.leader = undefined;
  if (purpose === "pre-vote") {
    const isAgain = node.role === "pre-candidate";
    node.role = "pre-candidate";
    // Who asked a moment too early, or was not heard, asks again soon: that disturbs nobody.
    const { heartbeatTicks } = node.settings;
    node.timeout = heartbeatTicks + Math.floor(node.random() * heartbeatTicks);
    if (!isAgain) announce(node);
    solicit(node, { term: term(node.term + 1), isPreVote: true, isTransfer: false });
    countVote(node, node.id, true);
    return;
  }
  node.role = "candidate";
  drawTimeout(node);
  node.term = term(node.term + 1);
  node.votedFor = node.id;
  announce(node);
  node.campaignTicket = persist(node);
  solicit(node, { term: node.term, isPreVote: false, isTransfer: purpose === "transfer" });
}

/** §5.2, §5.4.1: one vote a term, durable before it is given, and only to a log at least as complete. */
export function onVote(node: RaftNode, from: MemberId, vote: Vote): void {
  const { isPreVote } = vote;
  const reply = (isGranted: boolean, inTerm: Term, after = pendingTicket(node)): void =>
    send(node, from, { message: { kind: "vote-reply", term: inTerm, isPreVote, isGranted }, after });
  if (vote.term < node.term) {
    reply(false, node.term);
    return;
  }
  if (!vote.isTransfer && hearsLeader(node)) return;
  const isComplete =
    vote.lastTerm > lastTerm(node.log) ||
    (vote.lastTerm === lastTerm(node.log) && vote.lastIndex >= node.log.lastIndex);
  const mayGrant = isComplete && node.recoverUntil === 0;
  if (isPreVote) {
    const isGranted = mayGrant && vote.term > node.term;
    reply(isGranted, isGranted ? vote.term : node.term, 0);
    return;
  }
  if (vote.term > node.term) becomeFollower(node, vote.term, undefined);
  const isFree = node.votedFor === undefined ? node.leader === undefined : node.votedFor === from;
  if (!mayGrant || !isFree) {
    reply(false, node.term);
    return;
  }
  if (node.votedFor === undefined) {
    node.votedFor = from;
    persist(node);
  }
  node.heardAt = node.now;
  drawTimeout(node);
  reply(true, node.term);
}

/** Counts an answer to the campaign under way. */
export function onVoteReply(node: RaftNode, from: MemberId, reply: VoteReply): void {
  const expected = reply.isPreVote ? "pre-candidate" : "candidate";
  const isCurrent = reply.isPreVote && reply.isGranted ? reply.term === node.term + 1 : reply.term === node.term;
  if (node.role === expected && isCurrent) countVote(node, from, reply.isGranted);
}

/** The vote for itself counts once it is durable. */
export function onCampaignPersisted(node: RaftNode, ticket: number): void {
  if (node.role === "candidate" && node.campaignTicket === ticket) countVote(node, node.id, true);
}

/** The leader steps aside in favour of this member. */
export function onTimeoutNow(node: RaftNode, from: MemberId, inTerm: Term): void {
  if (inTerm === node.term && node.leader === from && canStand(node)) campaign(node, "transfer");
}

function countVote(node: RaftNode, from: MemberId, isGranted: boolean): void {
  const membership = membershipOf(node);
  if (!isVoter(membership, from)) return;
  node.votes.set(from, isGranted);
  const granted = [...node.votes.values()].filter(Boolean).length;
  const majority = majorityOf(membership);
  if (granted >= majority) {
    if (node.role === "pre-candidate") campaign(node, "election");
    else becomeLeader(node);
    return;
  }
  const refused = node.votes.size - granted;
  if (refused <= votersOf(membership).length - majority) return;
  node.role = idleRole(node);
  announce(node);
}

function solicit(node: RaftNode, kind: Pick<Vote, "term" | "isPreVote" | "isTransfer">): void {
  const message: Vote = { kind: "vote", ...kind, lastIndex: node.log.lastIndex, lastTerm: lastTerm(node.log) };
  const after = kind.isPreVote ? 0 : pendingTicket(node);
  for (const to of votersOf(membershipOf(node))) if (to !== node.id) send(node, to, { message, after });
}

/** A member whose removal is not committed may still be needed to commit it (thesis §4.2.2). */
function canStand(node: RaftNode): boolean {
  if (node.role === "leader" || node.recoverUntil > 0) return false;
  return possibleMemberships(node).some((membership) => isVoter(membership, node.id));
}

/** A leader hears itself; a member that just started may have heard one that it does not remember. */
function hearsLeader(node: RaftNode): boolean {
  if (node.role === "leader") return true;
  if (node.now < node.graceUntil) return true;
  return node.leader !== undefined && node.now - node.heardAt < node.settings.electionTicks;
}
