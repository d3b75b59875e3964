/**
 * Rounds of heartbeats: each shows that the leader is alive, and when a majority has
 * answered it, that nobody else led when it was sent. That renews the lease and answers
 * the reads that waited for it (thesis §6.4).
 */
import { logIndex } from "../../base/brand.ts";
import { majorityOf, votersOf } from "./membership.ts";
import type { PendingRead, RaftNode } from "./node-state.ts";
import { membershipOf, send } from "./node-state.ts";
import type { Progress } from "./progress.ts";

/** Sends a heartbeat to everybody. */
export function beginRound(node: RaftNode): void {
  node.round += 1;
  node.rounds.push({ round: node.round, at: node.now });
  beat(node, () => true);
  onRoundsConfirmed(node);
}

/** Sends a heartbeat of the round under way to the members that `isMeant`. */
export function beat(node: RaftNode, isMeant: (peer: Progress) => boolean): void {
  for (const peer of node.peers.values()) {
    if (!isMeant(peer)) continue;
    const commit = logIndex(Math.min(node.commit, peer.match));
    peer.told = logIndex(Math.max(peer.told, commit));
    send(node, peer.id, { message: { kind: "heartbeat", term: node.term, commit, round: node.round } });
  }
}

/** Tells members that have everything of a commit; nothing else would before the next heartbeat. */
export function tellCommit(node: RaftNode): void {
  beat(node, (peer) => peer.match === node.log.lastIndex && peer.told < node.commit);
}

/** Takes in which rounds a majority has answered: renews the lease, answers the reads. */
export function onRoundsConfirmed(node: RaftNode): void {
  const answered = votersOf(membershipOf(node)).map((id) =>
    id === node.id ? node.round : (node.peers.get(id)?.round ?? 0),
  );
  const confirmed = answered.toSorted((a, b) => b - a)[majorityOf(membershipOf(node)) - 1] ?? 0;
  while (node.rounds[0] && node.rounds[0].round <= confirmed) {
    // Members count ticks by clocks that may run a little faster than this one's.
    const span = Math.floor(node.settings.electionTicks * 0.8);
    if (node.grantsLease) node.leaseUntil = node.rounds[0].at + span;
    node.rounds.shift();
  }
  const isReady = (round: number): boolean => round <= confirmed;
  const ready = node.pendingReads.filter((r) => isReady(r.round));
  if (ready.length === 0) return;
  node.pendingReads = node.pendingReads.filter((r) => !isReady(r.round));
  for (const { ticket, from, index } of ready) answer(node, { ticket, from, index });
}

/** Gives a reader its index. */
export function answer(node: RaftNode, { ticket, from, index }: Omit<PendingRead, "round">): void {
  if (from === undefined) node.out.push({ kind: "read-ready", ticket, index });
  else send(node, from, { message: { kind: "read-index-reply", term: node.term, ticket, index } });
}
