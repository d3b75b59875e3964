/**
 * One member of the cluster, as a state machine: `step` takes an input, changes the node
 * and returns what the driver must do. The node is owned by one driver, which changes
 * nothing in it. Elections, replication, reads and members have a file each.
 * Sections cited are those of Ongaro and Ousterhout, "In Search of an Understandable
 * Consensus Algorithm (Extended Version)", or, where it says so, of Ongaro's thesis.
 */
import { assert, unreachable } from "../../base/assert.ts";
import type { LogIndex } from "../../base/brand.ts";
import { logIndex } from "../../base/brand.ts";
import { campaign, onTimeoutNow, onVote, onVoteReply, tickFollower } from "./election.ts";
import { compactLog } from "./log.ts";
import { changeMembers, tickTransfer, transfer } from "./member-changes.ts";
import { isSoleVoter, votersOf } from "./membership.ts";
import type { RaftNode } from "./node-state.ts";
import { becomeFollower, membershipOf, possibleMemberships } from "./node-state.ts";
import type { MemberId, RaftEffect, RaftInput, RaftMessage } from "./raft-types.ts";
import { onReadIndex, onReadIndexReply, read } from "./reads.ts";
import { onAppend, onHeartbeat, onPersistedFollower, onSnapshotReceived } from "./receive-log.ts";
import {
  onAppendReply,
  onHeartbeatReply,
  onPersistedLeader,
  onSnapshotSent,
  onUnreachable,
  propose,
  tickLeader,
} from "./replication.ts";

/** Advances `node` by one input and returns what must be done, in order. */
export function step(node: RaftNode, input: RaftInput): readonly RaftEffect[] {
  const out: RaftEffect[] = [];
  node.out = out;
  dispatch(node, input);
  return out;
}

function dispatch(node: RaftNode, input: RaftInput): void {
  switch (input.kind) {
    case "start":
      start(node);
      break;
    case "tick":
      node.now += 1;
      tick(node);
      break;
    case "propose":
      propose(node, input.data);
      break;
    case "persisted":
      onPersisted(node, input.ticket);
      break;
    case "compact":
      compact(node, input.index);
      break;
    case "receive":
      receive(node, input.from, input.message);
      break;
    case "read":
      read(node, input.ticket);
      break;
    case "change-members":
      changeMembers(node, input.change);
      break;
    case "transfer":
      transfer(node, input.to);
      break;
    case "snapshot-sent":
      onSnapshotSent(node, input);
      break;
    case "snapshot-received":
      onSnapshotReceived(node, input);
      break;
    case "unreachable":
      onUnreachable(node, input.member);
      break;
    default:
      unreachable(input);
  }
}

function tick(node: RaftNode): void {
  if (node.role !== "leader") tickFollower(node);
  else {
    tickLeader(node);
    tickTransfer(node);
  }
}

/**
 * The only voter need not wait for a silence: there is nobody to hear. It must where another
 * may still lead until a change is committed, under a lease that this member confirmed.
 */
function start(node: RaftNode): void {
  const others = possibleMemberships(node)
    .flatMap(votersOf)
    .filter((id) => id !== node.id);
  if (isSoleVoter(membershipOf(node), node.id) && others.length === 0 && node.recoverUntil === 0) {
    campaign(node, "election");
  }
}

function receive(node: RaftNode, from: MemberId, message: RaftMessage): void {
  // A vote decides for itself whether its term is believed (thesis §4.2.3, §9.6).
  if (message.kind === "vote") {
    onVote(node, from, message);
    return;
  }
  const isFuture = message.kind === "vote-reply" && message.isPreVote && message.isGranted;
  if (message.term > node.term && !isFuture) becomeFollower(node, message.term, undefined);
  switch (message.kind) {
    case "vote-reply":
      onVoteReply(node, from, message);
      break;
    case "append":
      onAppend(node, from, message);
      break;
    case "append-reply":
      onAppendReply(node, from, message);
      break;
    case "heartbeat":
      onHeartbeat(node, from, message);
      break;
    case "heartbeat-reply":
      onHeartbeatReply(node, from, message);
      break;
    case "timeout-now":
      onTimeoutNow(node, from, message.term);
      break;
    case "read-index":
      onReadIndex(node, from, message);
      break;
    case "read-index-reply":
      onReadIndexReply(node, message);
      break;
    default:
      unreachable(message);
  }
}

function onPersisted(node: RaftNode, ticket: number): void {
  const write = node.writes.shift();
  assert(write?.ticket === ticket, `ticket ${ticket} was confirmed out of order`);
  // A later truncation may be under way: what it will drop is not counted.
  const laterCut = node.writes.reduce((least, w) => Math.min(least, w.keptIndex), Number.MAX_SAFE_INTEGER);
  node.durableIndex = logIndex(Math.min(write.lastIndex, laterCut));
  if (node.role === "leader") onPersistedLeader(node);
  else onPersistedFollower(node, ticket);
}

/** §7: only what is committed, and so applied, may be forgotten. */
function compact(node: RaftNode, requested: LogIndex): void {
  const index = logIndex(Math.min(requested, node.commit, node.durableIndex));
  if (index <= node.log.compactedIndex) return;
  node.log = compactLog(node.log, index);
  const base = node.memberships.findLastIndex((m) => m.index <= index);
  node.memberships.splice(0, Math.max(0, base));
  node.out.push({ kind: "compact", index });
}
