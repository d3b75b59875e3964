/**
 * The replicated log as the server's main loop sees it: proposals in, committed entries
 * out, in order, each once. Behind it is the raft driver in its own thread; in tests and
 * the simulator the same driver runs in one thread.
 */
import type { LogIndex, Term } from "../base/brand.ts";
import type { Fault } from "../core/domain/errors.ts";
import type { EntryKind, MemberId, MembershipChange } from "../core/raft/raft-types.ts";
import type { ReceivedSnapshot, SnapshotOrder } from "./peer-link.ts";

/** One entry to apply. */
export interface CommittedEntry {
  readonly index: LogIndex;
  readonly term: Term;
  readonly kind: EntryKind;
  /** Of a no-op: empty. Of a membership: `encodeMembership`. */
  readonly data: Uint8Array;
}

/** One member, as this one knows it. */
export interface MemberStatus {
  readonly id: MemberId;
  readonly address: string;
  readonly role: "leader" | "follower" | "learner";
  /** Only the leader knows those of others. */
  readonly matchIndex: LogIndex | undefined;
  /** Milliseconds since it was last heard by this member; 0 for itself, undefined when never. */
  readonly lastContactMs: number | undefined;
}

/** The group, as this member knows it. */
export interface ConsensusStatus {
  readonly self: MemberId;
  readonly leader: MemberId | undefined;
  readonly term: Term;
  readonly commit: LogIndex;
  readonly members: readonly MemberStatus[];
  /** Where their membership stands in the log. */
  readonly membersAt?: LogIndex | undefined;
  /** Longest time that this process went without a word of a leader that it followed before and after; only of the own member. */
  readonly leaderSilenceMaxMs?: number;
}

/** Is told what the log does. */
export interface ConsensusListener {
  /** Entries are durable on a majority: apply them. */
  onCommitted(entries: readonly CommittedEntry[]): void;
  /** The state is to be replaced by this one; entries after it follow. */
  onSnapshot(snapshot: ReceivedSnapshot): void;
  /** A member needs the state: resolves with the index it had when it has arrived there, rejects when it has not. */
  onSnapshotWanted(order: SnapshotOrder): Promise<LogIndex>;
  /** Proposals that surely will not commit, by their `proposal` numbers. */
  onRejected(proposals: readonly number[], fault: Fault): void;
  /** What another server's main loop sent with `relay`. */
  onRelayed(from: MemberId, data: Uint8Array): void;
  onStatus(status: ConsensusStatus): void;
  /** The log can no longer be trusted to store anything: the server must stop. */
  onFailed(fault: Fault): void;
}

export interface Consensus {
  /** Starts delivering entries after `applied`, the index that the state on disk already holds. */
  start(listener: ConsensusListener, applied: LogIndex): void;
  /**
   * Proposes an entry, here or, on a follower, at the leader. `proposal` is the caller's
   * number for it, unique while the process lives. The outcome is the entry among the
   * committed ones, or onRejected, or, after a change of leader, neither.
   */
  propose(proposal: number, data: Uint8Array): void;
  /**
   * Returns an index such that whatever was acknowledged anywhere before the call is in
   * the state once that index is applied here (linearizable reads).
   * @throws LatticeError NO_QUORUM when no leader confirms it in time.
   */
  readIndex(): Promise<LogIndex>;
  /** Resolves when the change is committed. @throws LatticeError NOT_LEADER, ILLEGAL_TRANSITION with the reason. */
  changeMembers(change: MembershipChange): Promise<void>;
  /** Resolves when `to` leads. @throws LatticeError NOT_LEADER, ILLEGAL_TRANSITION with the reason. */
  transfer(to: MemberId): Promise<void>;
  /** Sends bytes to the main loop of another server; they may be lost. */
  relay(to: MemberId, data: Uint8Array): void;
  /** The state on disk holds everything up to `index`, durably: the log may forget it. */
  compact(index: LogIndex): void;
  status(): ConsensusStatus;
  /** Stops; everything acknowledged is on disk. */
  close(): Promise<void>;
}
