/** The group as a member knows it, for people; and whether its state fits its log. */
import type { LogIndex } from "../../../base/brand.ts";
import type { Fault } from "../../../core/domain/errors.ts";
import { fault } from "../../../core/domain/errors.ts";
import type { RaftNode } from "../../../core/raft/node-state.ts";
import { membershipOf } from "../../../core/raft/node-state.ts";
import type { Member, MemberId } from "../../../core/raft/raft-types.ts";
import type { ConsensusStatus, MemberStatus } from "../../../ports/consensus.ts";

/** When others were heard. */
export interface Contacts {
  readonly lastContactMs: (id: MemberId) => number | undefined;
  /** Longest time without a word of a leader that was followed before and after it. */
  readonly leaderSilenceMaxMs: number;
}

/** Returns the status of `node`, whose own address is `address`. */
export function statusOf(
  node: RaftNode,
  address: string,
  { lastContactMs, leaderSilenceMaxMs }: Contacts,
): ConsensusStatus {
  const { id: self, leader, term, commit } = node;
  const show = ({ id, isVoter, address: theirs }: Member): MemberStatus => ({
    id,
    address: id === self ? address : theirs,
    role: id === leader ? "leader" : isVoter ? "follower" : "learner",
    matchIndex: id === self ? node.durableIndex : node.peers.get(id)?.match,
    lastContactMs: id === self ? 0 : lastContactMs(id),
  });
  const members = membershipOf(node).members.map(show);
  return { self, leader, term, commit, members, membersAt: node.memberships.at(-1)?.index, leaderSilenceMaxMs };
}

/**
 * Returns the fault of a state that ends where the log cannot follow: the log must hold
 * everything that the state lacks, and the state nothing that the log lacks, unless the
 * log is being filled again after damage.
 */
export function findLostEntries(applied: LogIndex, { log, recoverUntil }: RaftNode): Fault | undefined {
  const { compactedIndex, lastIndex } = log;
  if (applied >= compactedIndex && applied <= Math.max(lastIndex, recoverUntil)) return undefined;
  const end = applied < compactedIndex ? `begins after entry ${compactedIndex}` : `ends at entry ${lastIndex}`;
  return fault("CORRUPT_LOG", `entries are missing: the state on disk ends at entry ${applied}, the log ${end}`);
}
