/**
 * What a follower or learner does with what a leader sends: appends (§5.3), heartbeats,
 * snapshots (§7). Nothing is acknowledged before it is durable.
 */
import { assert } from "../../base/assert.ts";
import type { LogIndex, Term } from "../../base/brand.ts";
import { logIndex, term } from "../../base/brand.ts";
import { onCampaignPersisted } from "./election.ts";
import type { LogShape } from "./log.ts";
import { extendLog, termAt, truncateLog } from "./log.ts";
import { decodeMembership } from "./membership.ts";
import type { RaftNode } from "./node-state.ts";
import { becomeFollower, hardStateOf, idleRole, membershipOf, pendingTicket, persist, send } from "./node-state.ts";
import type { AppendReply, Entry, MemberId, RaftInput, RaftMessage } from "./raft-types.ts";

type Append = RaftMessage & { readonly kind: "append" };
type Heartbeat = RaftMessage & { readonly kind: "heartbeat" };

/** §5.3: takes the entries if the logs agree before them; a conflict drops this member's own. */
export function onAppend(node: RaftNode, from: MemberId, message: Append): void {
  if (!heedLeader(node, from, message.term)) return;
  const { prevIndex, prevTerm, entries } = message;
  // What is committed here agrees with every leader's log (§5.4.3).
  if (prevIndex < node.commit && prevIndex + entries.length <= node.commit) {
    accept(node, from, node.commit);
    return;
  }
  if (prevIndex > node.commit && termAt(node.log, prevIndex) !== prevTerm) {
    refuse(node, from, prevIndex);
    return;
  }
  takeEntries(
    node,
    entries.filter((e) => e.index > node.commit),
  );
  const agreed = logIndex(prevIndex + entries.length);
  node.agreedIndex = logIndex(Math.max(node.agreedIndex, agreed));
  learnCommit(node, logIndex(Math.min(message.commit, agreed)));
  accept(node, from, agreed);
}

/** A sign of life; its commit index is never beyond what this member has acknowledged. */
export function onHeartbeat(node: RaftNode, from: MemberId, message: Heartbeat): void {
  if (!heedLeader(node, from, message.term)) return;
  learnCommit(node, logIndex(Math.min(message.commit, node.agreedIndex)));
  const reply = { kind: "heartbeat-reply", term: node.term, round: message.round } as const;
  // The term must be durable; entries being written must not hold up the sign of life.
  send(node, from, { message: reply, after: node.writes.find((w) => w.term === node.term && w.isTerm)?.ticket ?? 0 });
}

/** §7: a snapshot replaces a log that is behind it. */
export function onSnapshotReceived(node: RaftNode, input: RaftInput & { readonly kind: "snapshot-received" }): void {
  const { from, snapshot } = input;
  if (input.term > node.term) becomeFollower(node, input.term, undefined);
  const isHeeded = heedLeader(node, from, input.term);
  // A log that agrees with the snapshot is kept: entries after it may be acknowledged already.
  const isHeld = termAt(node.log, snapshot.index) === snapshot.term;
  if (!isHeeded || isHeld || snapshot.index <= node.commit) {
    node.out.push({ kind: "discard-snapshot", index: snapshot.index });
    if (!isHeeded) return;
    if (isHeld) learnCommit(node, snapshot.index);
    accept(node, from, node.commit);
    return;
  }
  const { index, term: snapshotTerm } = snapshot;
  node.log = { compactedIndex: index, compactedTerm: snapshotTerm, lastIndex: index, runs: [] };
  node.memberships.splice(0, node.memberships.length, snapshot.membership);
  node.commit = index;
  node.agreedIndex = index;
  node.ticket += 1;
  node.writes.push({ ticket: node.ticket, term: node.term, lastIndex: index, keptIndex: index, isTerm: false });
  node.out.push({ kind: "install-snapshot", ticket: node.ticket, hardState: hardStateOf(node), snapshot });
  node.out.push({ kind: "membership-changed", membership: membershipOf(node) });
  node.role = idleRole(node);
  accept(node, from, index);
}

/** Something is durable: a vote for itself may count, a damaged log may be whole again. */
export function onPersistedFollower(node: RaftNode, ticket: number): void {
  onCampaignPersisted(node, ticket);
  endRecovery(node);
}

/** A damaged log that holds the committed one again up to what it ever acknowledged is whole: the leader is told. */
function endRecovery(node: RaftNode): void {
  if (node.recoverUntil === 0 || node.recoverUntil > Math.min(node.commit, node.durableIndex)) return;
  node.recoverUntil = logIndex(0);
  persist(node);
  if (node.leader !== undefined && node.agreedIndex > 0) accept(node, node.leader, node.agreedIndex);
}

/** Returns whether the message is of the term's leader; an older leader is told the term. */
function heedLeader(node: RaftNode, from: MemberId, inTerm: Term): boolean {
  if (inTerm < node.term) {
    send(node, from, { message: { kind: "heartbeat-reply", term: node.term, round: 0 }, after: pendingTicket(node) });
    return false;
  }
  assert(node.role !== "leader", `term ${inTerm} has two leaders, ${node.id} and ${from}`);
  if (node.leader !== from || node.role === "pre-candidate" || node.role === "candidate") {
    becomeFollower(node, inTerm, from);
  }
  node.heardAt = node.now;
  return true;
}

function takeEntries(node: RaftNode, entries: readonly Entry[]): void {
  const fresh = entries.findIndex((e) => termAt(node.log, e.index) !== e.term);
  if (fresh < 0) return;
  const added = entries.slice(fresh);
  const first = added[0];
  if (!first) return;
  const truncateFrom = first.index <= node.log.lastIndex ? first.index : undefined;
  if (truncateFrom !== undefined) cut(node, truncateFrom);
  let shape: LogShape = node.log;
  for (const entry of added) {
    assert(entry.index === shape.lastIndex + 1, `entry ${entry.index} cannot follow entry ${shape.lastIndex}`);
    shape = extendLog(shape, entry.term, 1);
    if (entry.kind !== "membership") continue;
    node.memberships.push({ index: entry.index, membership: decodeMembership(entry.data) });
    node.out.push({ kind: "membership-changed", membership: membershipOf(node) });
  }
  node.log = shape;
  node.role = idleRole(node);
  persist(node, added, truncateFrom);
}

function cut(node: RaftNode, from: LogIndex): void {
  assert(from > node.commit, `entry ${from} is committed and must not be dropped`);
  node.log = truncateLog(node.log, from);
  node.durableIndex = logIndex(Math.min(node.durableIndex, from - 1));
  while ((node.memberships.at(-1)?.index ?? 0) >= from) node.memberships.pop();
}

function learnCommit(node: RaftNode, commit: LogIndex): void {
  if (commit <= node.commit) return;
  node.commit = commit;
  node.out.push({ kind: "commit", index: commit });
  endRecovery(node);
}

function accept(node: RaftNode, to: MemberId, index: LogIndex): void {
  reply(node, to, { isAccepted: true, index, hintIndex: index, hintTerm: term(0) });
}

/** Names the last entry here whose term is not above the one asked about: nothing later can agree. */
function refuse(node: RaftNode, to: MemberId, index: LogIndex): void {
  const { log } = node;
  const known = Math.min(index, log.lastIndex);
  const own = termAt(log, logIndex(known)) ?? log.compactedTerm;
  const run = log.runs.findLast((r) => r.term === own);
  // Beyond the end the last entry may agree; a conflict rules out its whole term's later entries.
  const hint = known < index || !run ? known : Math.max(run.first - 1, node.commit);
  const hintIndex = logIndex(hint);
  reply(node, to, { isAccepted: false, index, hintIndex, hintTerm: termAt(log, hintIndex) ?? log.compactedTerm });
}

function reply(node: RaftNode, to: MemberId, answer: Omit<AppendReply, "kind" | "term" | "isRecovering">): void {
  const message = { kind: "append-reply", term: node.term, isRecovering: node.recoverUntil > 0, ...answer } as const;
  send(node, to, { message, after: pendingTicket(node) });
}
