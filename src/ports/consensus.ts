/**
 * The replicated log as the server's main loop sees it: proposals in, committed entries
 * out, in order, each once. Behind it is the raft driver in its own thread; in tests and
 * the simulator the same driver runs in one thread.
 */
import type { LogIndex, Term } from "../base/brand.ts";
import type { Fault } from "../core/domain/errors.ts";

/** One entry to apply. */
export interface CommittedEntry {
  readonly index: LogIndex;
  readonly term: Term;
  /** Empty for entries of the log's own (no-ops, membership): they only advance the index. */
  readonly data: Uint8Array;
}

/** One member, as this one knows it. */
export interface MemberStatus {
  readonly id: number;
  readonly address: string;
  readonly role: "leader" | "follower" | "learner";
  readonly matchIndex: LogIndex;
  /** Milliseconds since the leader last heard from it; 0 for itself. */
  readonly lastContactMs: number;
}

/** The group, as this member knows it. */
export interface ConsensusStatus {
  readonly self: number;
  readonly leader: number | undefined;
  readonly term: Term;
  readonly commit: LogIndex;
  readonly members: readonly MemberStatus[];
}

/** Is told what the log does. */
export interface ConsensusListener {
  /** Entries are durable on a majority: apply them. */
  onCommitted(entries: readonly CommittedEntry[]): void;
  /** Proposals that surely will not commit, by their `proposal` numbers. */
  onRejected(proposals: readonly number[], fault: Fault): void;
  onStatus(status: ConsensusStatus): void;
  /** The log can no longer be trusted to store anything: the server must stop. */
  onFailed(fault: Fault): void;
}

export interface Consensus {
  /** Starts delivering entries after `applied`, the index that the state on disk already holds. */
  start(listener: ConsensusListener, applied: LogIndex): void;
  /**
   * Proposes an entry. `proposal` is the caller's number for it, unique while the process
   * lives. The outcome is the entry among the committed ones, or onRejected, or, after a
   * change of leader, neither.
   */
  propose(proposal: number, data: Uint8Array): void;
  /** The state on disk holds everything up to `index`, durably: the log may forget it. */
  compact(index: LogIndex): void;
  status(): ConsensusStatus;
  /** Stops; everything acknowledged is on disk. */
  close(): Promise<void>;
}
