/**
 * What a leader does: appends, sends, counts and commits (§5.3, §5.4.2), shows that it is
 * alive, and steps down when it does not hear a majority (check-quorum). Appends follow
 * each other without waiting and travel while the leader's own write is under way.
 */
import type { LogIndex } from "../../base/brand.ts";
import { logIndex } from "../../base/brand.ts";
import { isFounding } from "./admission.ts";
import { extendLog, termAt } from "./log.ts";
import { isVoter, majorityOf, votersOf } from "./membership.ts";
import type { RaftNode } from "./node-state.ts";
import { announce, becomeFollower, membershipOf, pendingTicket, persist, send } from "./node-state.ts";
import type { Progress } from "./progress.ts";
import { probe, startProgress } from "./progress.ts";
import type { AppendReply, Entry, EntryKind, MemberId, RaftInput, RaftMessage } from "./raft-types.ts";
import { beginRound, onRoundsConfirmed, tellCommit } from "./rounds.ts";

const NO_DATA = new Uint8Array();

/** §8: a leader begins its term with a no-op, whose commit also commits whatever precedes it. */
export function becomeLeader(node: RaftNode): void {
  node.role = "leader";
  node.leader = node.id;
  node.termStart = logIndex(node.log.lastIndex + 1);
  node.grantsLease = true;
  node.leaseUntil = 0;
  node.rounds.length = 0;
  node.peers.clear();
  trackMembers(node);
  announce(node);
  beginRound(node);
  append(node, "noop", [NO_DATA]);
}

/** Begins to track members that are new and forgets those that left. */
export function trackMembers(node: RaftNode): void {
  const { members } = membershipOf(node);
  for (const { id } of members) {
    if (id !== node.id && !node.peers.has(id)) node.peers.set(id, startProgress(id, node.log.lastIndex, node.now));
  }
  for (const id of node.peers.keys()) if (!members.some((m) => m.id === id)) node.peers.delete(id);
}

/** §5.3: the leader appends; an entry is committed once a majority holds it durably. */
export function propose(node: RaftNode, data: readonly Uint8Array[]): void {
  if (data.length === 0) return;
  const refuse = (reason: "not-leader" | "overloaded"): void => {
    node.out.push({ kind: "reject", count: data.length, reason, leader: node.transferTo ?? node.leader });
  };
  if (node.role !== "leader" || node.transferTo !== undefined) {
    refuse("not-leader");
    return;
  }
  if (node.uncommittedBytes > node.settings.uncommittedBytesMax) {
    refuse("overloaded");
    return;
  }
  append(node, "command", data);
}

/** Appends entries to the leader's log and sends them on. */
export function append(node: RaftNode, kind: EntryKind, data: readonly Uint8Array[]): void {
  const first = node.log.lastIndex + 1;
  const entries = data.map((bytes, i): Entry => ({ index: logIndex(first + i), term: node.term, kind, data: bytes }));
  node.log = extendLog(node.log, node.term, entries.length);
  const bytes = data.reduce((sum, part) => sum + part.length, 0);
  node.uncommitted.push({ last: node.log.lastIndex, bytes });
  node.uncommittedBytes += bytes;
  persist(node, entries);
  for (const peer of node.peers.values()) sendEntries(node, peer);
}

/** Sends what the member lacks, as far as mode and window allow. */
export function sendEntries(node: RaftNode, peer: Progress): void {
  const { batchMax, windowMax } = node.settings;
  while (!peer.isPaused && peer.mode !== "snapshot") {
    const isProbe = peer.mode === "probe";
    if (!isProbe && (peer.next > node.log.lastIndex || peer.next - 1 - peer.match >= windowMax)) return;
    const last = logIndex(Math.min(node.log.lastIndex, peer.next + batchMax - 1));
    if (!replicate(node, peer, last)) return;
    if (isProbe) {
      peer.isPaused = true;
      peer.pausedAt = node.round;
      peer.isLost = false;
    } else peer.next = logIndex(last + 1);
  }
}

function replicate(node: RaftNode, peer: Progress, last: LogIndex): boolean {
  const prevTerm = termAt(node.log, logIndex(peer.next - 1));
  if (prevTerm === undefined) {
    peer.mode = "snapshot";
    node.out.push({ kind: "send-snapshot", to: peer.id, term: node.term, atLeast: node.log.compactedIndex });
    return false;
  }
  const { term, commit } = node;
  peer.told = logIndex(Math.max(peer.told, Math.min(commit, last)));
  const after = isFounding(node) ? pendingTicket(node) : 0;
  node.out.push({ kind: "replicate", after, to: peer.id, term, commit, first: peer.next, last, prevTerm });
  return true;
}

/** A member has appended, or cannot. */
export function onAppendReply(node: RaftNode, from: MemberId, reply: AppendReply): void {
  const peer = node.peers.get(from);
  if (node.role !== "leader" || reply.term !== node.term || !peer) return;
  peer.heardAt = node.now;
  const isWhole = peer.isRecovering && !reply.isRecovering;
  peer.isRecovering = reply.isRecovering;
  if (!reply.isAccepted) {
    onRefused(node, peer, reply);
    return;
  }
  if (reply.index > node.log.lastIndex) return;
  const isProgress = reply.index > peer.match;
  peer.match = logIndex(Math.max(peer.match, reply.index));
  if (peer.mode === "snapshot" && peer.match < node.log.compactedIndex) return;
  if (peer.mode !== "replicate" && !peer.isLost) {
    peer.mode = "replicate";
    peer.isPaused = false;
    peer.next = logIndex(peer.match + 1);
  }
  peer.next = logIndex(Math.max(peer.next, peer.match + 1));
  if (isProgress || isWhole) advanceCommit(node);
  if (node.role !== "leader") return;
  if (node.transferTo === from) completeTransfer(node);
  sendEntries(node, peer);
  tellCommit(node);
}

/** §5.3: the hints let one exchange skip all entries of a term that conflicts. */
function onRefused(node: RaftNode, peer: Progress, reply: AppendReply): void {
  const { index, hintIndex, hintTerm, isRecovering } = reply;
  // A damaged member has lost what it had acknowledged; it is not counted until it is whole.
  if (isRecovering) peer.match = logIndex(Math.min(peer.match, hintIndex));
  const isStale = index <= peer.match || (peer.mode === "probe" && index !== peer.next - 1);
  if (isStale || peer.mode === "snapshot") return;
  const agreed = Math.min(hintIndex, node.log.lastIndex);
  const run = node.log.runs.findLast((r) => r.term <= hintTerm && r.first <= agreed);
  const runEnd = run && (node.log.runs.find((r) => r.first > run.first)?.first ?? node.log.lastIndex + 1) - 1;
  const candidate = run ? Math.min(agreed, runEnd ?? agreed) : Math.min(agreed, node.log.compactedIndex);
  probe(peer, logIndex(Math.max(candidate, 0) + 1));
  sendEntries(node, peer);
}

/** The leader's own write counts as a member's reply does. */
export function onPersistedLeader(node: RaftNode): void {
  advanceCommit(node);
}

/** §5.4.2: only an entry of the leader's own term is committed by counting. */
export function advanceCommit(node: RaftNode): void {
  const membership = membershipOf(node);
  const matches = votersOf(membership).map((id) => {
    if (id === node.id) return node.durableIndex;
    const peer = node.peers.get(id);
    return peer === undefined || peer.isRecovering ? 0 : peer.match;
  });
  const index = logIndex(matches.toSorted((a, b) => b - a)[majorityOf(membership) - 1] ?? 0);
  if (index <= node.commit || termAt(node.log, index) !== node.term) return;
  node.commit = index;
  node.out.push({ kind: "commit", index });
  while (node.uncommitted[0] && node.uncommitted[0].last <= index) {
    node.uncommittedBytes -= node.uncommitted.shift()?.bytes ?? 0;
  }
  tellCommit(node);
  const changedAt = node.memberships.at(-1)?.index ?? 0;
  // §6: a leader that removed itself leads until that is committed.
  if (changedAt <= index && !isVoter(membership, node.id)) becomeFollower(node, node.term, undefined);
}

/** Heartbeats, and the check that a majority is still there (thesis §6.2). */
export function tickLeader(node: RaftNode): void {
  const { electionTicks, heartbeatTicks } = node.settings;
  const heard = votersOf(membershipOf(node)).filter((id) => {
    const peer = node.peers.get(id);
    return id === node.id || (peer !== undefined && node.now - peer.heardAt < 2 * electionTicks);
  });
  if (heard.length < majorityOf(membershipOf(node))) {
    becomeFollower(node, node.term, undefined);
    return;
  }
  if (node.now % heartbeatTicks === 0) beginRound(node);
}

/** A member has answered a heartbeat. */
export function onHeartbeatReply(
  node: RaftNode,
  from: MemberId,
  reply: RaftMessage & { readonly kind: "heartbeat-reply" },
): void {
  const peer = node.peers.get(from);
  if (node.role !== "leader" || reply.term !== node.term || !peer) return;
  peer.heardAt = node.now;
  if (peer.mode === "probe" && reply.round > peer.pausedAt) peer.isPaused = false;
  const isNewRound = reply.round > peer.round;
  const isStuck = isNewRound && peer.match === peer.matchAtBeat && peer.match < peer.next - 1;
  if (isNewRound) peer.matchAtBeat = peer.match;
  peer.round = Math.max(peer.round, reply.round);
  onRoundsConfirmed(node);
  // Entries under way that nobody acknowledged for a whole heartbeat may be lost.
  if (peer.mode === "replicate" && isStuck) probe(peer, logIndex(peer.match + 1));
  // One that came back holds perhaps everything and does not know that it is committed: an empty append says so.
  if (peer.match < node.log.lastIndex || peer.mode === "probe") sendEntries(node, peer);
}

/** A snapshot has arrived, or must be tried again. */
export function onSnapshotSent(node: RaftNode, input: RaftInput & { readonly kind: "snapshot-sent" }): void {
  const peer = node.peers.get(input.to);
  if (node.role !== "leader" || peer?.mode !== "snapshot") return;
  probe(peer, logIndex(input.isDone ? input.index + 1 : peer.match + 1));
  // After a failure the next heartbeat that is answered begins again.
  peer.isPaused = true;
}

/** What was under way may be lost. */
export function onUnreachable(node: RaftNode, member: MemberId): void {
  const peer = node.peers.get(member);
  if (peer === undefined || peer.mode === "snapshot") return;
  probe(peer, peer.mode === "replicate" ? logIndex(peer.match + 1) : peer.next);
  // The answer to a heartbeat that is sent after this begins again.
  peer.isPaused = true;
  peer.pausedAt = node.round;
  peer.isLost = true;
}

/** Lets the member that is to take over campaign, once it has the whole log. */
export function completeTransfer(node: RaftNode): void {
  const { transferTo } = node;
  if (transferTo === undefined || node.peers.get(transferTo)?.match !== node.log.lastIndex) return;
  // However late this arrives, its receiver is voted for without regard to a lease.
  node.grantsLease = false;
  node.leaseUntil = 0;
  send(node, transferTo, { message: { kind: "timeout-now", term: node.term } });
}
