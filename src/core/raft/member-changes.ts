/**
 * Changes of the members and of the leader that people or the driver ask for. One change
 * at a time (thesis §4.1), only by a leader that has committed an entry of its term, so
 * that two leaders cannot make changes whose majorities do not overlap. What changes no
 * majority, a binding or a move, is free of both conditions.
 */
import type { LogIndex } from "../../base/brand.ts";
import { logIndex } from "../../base/brand.ts";
import { campaign } from "./election.ts";
import { termAt } from "./log.ts";
import { changeMembership, encodeMembership, isVoter, majorityOf, votersOf } from "./membership.ts";
import type { RaftNode } from "./node-state.ts";
import { becomeFollower, endTransfer, membershipOf } from "./node-state.ts";
import type { MemberId, Membership, MembershipChange } from "./raft-types.ts";
import { append, completeTransfer, sendEntries, trackMembers } from "./replication.ts";

/** A learner this many entries behind is not promoted: a voter that lags could stop commits. */
const PROMOTION_LAG_MAX = 1024;

/** Appends the changed membership, or refuses. */
export function changeMembers(node: RaftNode, change: MembershipChange): void {
  const next = changeMembership(membershipOf(node), change);
  const obstacle = obstacleTo(node, change) ?? (next.ok ? standstillAfter(node, change, next.value) : next.error);
  if (obstacle !== undefined || !next.ok) {
    node.out.push({ kind: "change-refused", change, reason: obstacle ?? "" });
    return;
  }
  const membership = next.value;
  // §6: in force as soon as it is in the log, for the counting of its own entry too.
  node.memberships.push({ index: logIndex(node.log.lastIndex + 1), membership });
  append(node, "membership", [encodeMembership(membership)]);
  trackMembers(node);
  for (const peer of node.peers.values()) if (peer.mode === "probe") sendEntries(node, peer);
  node.out.push({ kind: "membership-changed", membership });
}

function obstacleTo(node: RaftNode, change: MembershipChange): string | undefined {
  if (node.role !== "leader") return "this member is not the leader";
  // A binding changes no majority, and must precede whatever the bound member helps to commit.
  if (change.kind === "bind" || change.kind === "move") return undefined;
  if (termAt(node.log, node.commit) !== node.term) return "the leader has not yet committed an entry of its term";
  if ((node.memberships.at(-1)?.index ?? 0) > node.commit) return "another change of the members is under way";
  if (change.kind === "remove") return changedSince(node, change.seenAt);
  if (change.kind !== "promote") return undefined;
  const peer = node.peers.get(change.id);
  if (!peer) return undefined;
  const lag = node.log.lastIndex - peer.match;
  if (peer.isRecovering) return `member ${change.id} recovers from damage`;
  if (peer.match === 0 || !isPresent(node, change.id)) return `member ${change.id} has not been heard lately`;
  return lag > PROMOTION_LAG_MAX ? `member ${change.id} is ${lag} entries behind` : undefined;
}

/** A request to remove a member that comes late must not remove the one that took its place. */
function changedSince({ memberships }: RaftNode, seenAt: LogIndex | undefined): string | undefined {
  const now = memberships.at(-1)?.index ?? 0;
  if (seenAt === undefined || seenAt === now) return undefined;
  return `the members have changed since: this was asked for at entry ${seenAt}, they stand at entry ${now}`;
}

/** With a majority away nothing could be committed, not even the way back. */
function standstillAfter(node: RaftNode, { kind }: MembershipChange, next: Membership): string | undefined {
  if (kind !== "promote" && kind !== "remove") return undefined;
  const present = votersOf(next).filter((id) => isPresent(node, id));
  if (present.length >= majorityOf(next)) return undefined;
  return `too few of the voters that would be left are there: ${present.length} of ${votersOf(next).length}`;
}

function isPresent(node: RaftNode, id: MemberId): boolean {
  const peer = node.peers.get(id);
  return id === node.id || (peer !== undefined && node.now - peer.heardAt < 2 * node.settings.electionTicks);
}

/** Stops taking proposals, brings the member up to date and lets it campaign (thesis §3.10). */
export function transfer(node: RaftNode, to: MemberId): void {
  const obstacle =
    node.role !== "leader"
      ? "this member is not the leader"
      : node.transferTo !== undefined
        ? "another transfer is under way"
        : to === node.id
          ? "this member leads already"
          : isVoter(membershipOf(node), to)
            ? undefined
            : `member ${to} is not a voter`;
  if (obstacle !== undefined) {
    node.out.push({ kind: "transfer-ended", reason: obstacle });
    return;
  }
  node.transferTo = to;
  node.transferUntil = node.now + node.settings.electionTicks;
  completeTransfer(node);
}

/** Gives up a transfer that takes too long. */
export function tickTransfer(node: RaftNode): void {
  if (node.transferTo === undefined || node.now < node.transferUntil) return;
  endTransfer(node, `member ${node.transferTo} did not take over in time`);
  if (node.grantsLease) return;
  // The request may still arrive, however late. In another term it means nothing, and leases hold again.
  becomeFollower(node, node.term, undefined);
  campaign(node, "transfer");
}
