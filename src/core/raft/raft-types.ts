/**
 * The vocabulary of consensus: inputs, effects, messages, members. The core is
 * `step(node, input) -> effects`; it has no clock, no disk and no sockets. A tick is one
 * call of the driver's timer; bytes of entries are opaque, except those of a membership.
 */
import type { LogIndex, Term } from "../../base/brand.ts";

/** A member's number, from the configuration (quorum.node_id). */
export type MemberId = number;

/** What an entry is for: the log's own, a command of the state machine, a change of the members. */
export type EntryKind = "noop" | "command" | "membership";

/** One entry of the log. */
export interface Entry {
  readonly index: LogIndex;
  readonly term: Term;
  readonly kind: EntryKind;
  /** Of a membership: `encodeMembership`. */
  readonly data: Uint8Array;
}

/** What must survive a crash besides the log. */
export interface HardState {
  readonly term: Term;
  /** Whom this member voted for in `term`. */
  readonly votedFor: MemberId | undefined;
  /** Highest index known to be committed; may lag, never leads. */
  readonly commit: LogIndex;
  /**
   * Set when a part of the log was found damaged and cut off: until the member holds the
   * committed log up to here again it neither votes nor counts. Absent: it is whole.
   */
  readonly recoverUntil?: LogIndex;
}

/** A member of the cluster. */
export interface Member {
  readonly id: MemberId;
  /** HOST:PORT of its peer listener. */
  readonly address: string;
  /** Names the data directory: a member that comes back with another one is refused. Empty until it first came. */
  readonly storeId: string;
  /** Learners receive the log; only voters elect and count. */
  readonly isVoter: boolean;
}

/** Who belongs to the cluster; in force from the moment its entry is in the log (§6). */
export interface Membership {
  /** In ascending order of id. */
  readonly members: readonly Member[];
  /** Removed ones, which must not join again by themselves; ascending. */
  readonly departed: readonly MemberId[];
}

/** The membership that the entry at `index` put in force. */
export interface MembershipAt {
  readonly index: LogIndex;
  readonly membership: Membership;
}

/** What a snapshot stands for: everything up to `index`. */
export interface SnapshotMeta {
  readonly index: LogIndex;
  readonly term: Term;
  readonly membership: MembershipAt;
}

/** A member's part in its term. */
export type Role = "follower" | "pre-candidate" | "candidate" | "leader" | "learner";

/** A change of the members; one at a time, a new member as a learner first. */
export type MembershipChange =
  | { readonly kind: "add-learner"; readonly id: MemberId; readonly address: string; readonly storeId: string }
  | { readonly kind: "promote"; readonly id: MemberId }
  /** Fixes which store the member has, once; changes no majority. */
  | { readonly kind: "bind"; readonly id: MemberId; readonly storeId: string }
  /** Says where the member is found; changes no majority. */
  | { readonly kind: "move"; readonly id: MemberId; readonly address: string }
  | {
      readonly kind: "remove";
      readonly id: MemberId;
      /** Where the membership stood that the asker saw: refused when it is another now. */
      readonly seenAt?: LogIndex | undefined;
    };

/** What drives the core. */
export type RaftInput =
  /** The member has read its log and takes part; given once, first. */
  | { readonly kind: "start" }
  /** A fixed span of time has passed. */
  | { readonly kind: "tick" }
  | { readonly kind: "propose"; readonly data: readonly Uint8Array[] }
  /** The `persist` or `install-snapshot` effect with this number, and all before it, is on stable storage. */
  | { readonly kind: "persisted"; readonly ticket: number }
  /** The state machine holds everything up to `index` durably. */
  | { readonly kind: "compact"; readonly index: LogIndex }
  | { readonly kind: "receive"; readonly from: MemberId; readonly message: RaftMessage }
  /**
   * A reader wants an index that it can wait for; answered by `read-ready` or `read-failed`.
   * The ticket is not one of an earlier run of this member: its answer may still be under way.
   */
  | { readonly kind: "read"; readonly ticket: number }
  /** Answered by `change-refused`, or by the membership entry's commit. */
  | { readonly kind: "change-members"; readonly change: MembershipChange }
  /** Hand leadership to a voter; refused with `transfer-ended`. */
  | { readonly kind: "transfer"; readonly to: MemberId }
  /** The snapshot that `send-snapshot` asked for has arrived at `to`, or has not. */
  | { readonly kind: "snapshot-sent"; readonly to: MemberId; readonly index: LogIndex; readonly isDone: boolean }
  /** A whole snapshot from the leader of `term` lies verified beside the state. */
  | {
      readonly kind: "snapshot-received";
      readonly from: MemberId;
      readonly term: Term;
      readonly snapshot: SnapshotMeta;
    }
  /** The link to `member` was lost: what was sent may be lost too. */
  | { readonly kind: "unreachable"; readonly member: MemberId };

/**
 * What the driver must do, in the order given. Durability is data: `after` names the
 * ticket that must be on stable storage before the effect is carried out (0: at once).
 * Tickets grow by one. A driver may carry out an effect whose ticket is durable before it
 * begins a persist that stands in front of it: so appends travel while the leader's own
 * write is under way.
 */
export type RaftEffect =
  | {
      readonly kind: "persist";
      readonly ticket: number;
      readonly hardState: HardState | undefined;
      /** Drop the log from this index on before appending; undefined keeps all. */
      readonly truncateFrom: LogIndex | undefined;
      readonly entries: readonly Entry[];
    }
  | { readonly kind: "send"; readonly after: number; readonly to: MemberId; readonly message: RaftMessage }
  /**
   * Send an append with the entries `first` to `last` (none when last < first). The driver
   * fills in the bytes and may split it into several appends that follow each other.
   */
  | {
      readonly kind: "replicate";
      /** Not 0 only for the first entry after the one that began the cluster: admission.ts. */
      readonly after: number;
      readonly to: MemberId;
      readonly term: Term;
      readonly commit: LogIndex;
      readonly first: LogIndex;
      readonly last: LogIndex;
      /** Term of the entry before `first`. */
      readonly prevTerm: Term;
    }
  /** Everything up to `index` is committed: hand it to the state machine, in order, each once. */
  | { readonly kind: "commit"; readonly index: LogIndex }
  /** Forget the entries up to and including `index`. */
  | { readonly kind: "compact"; readonly index: LogIndex }
  /** The last `count` proposals were not taken: this is not the leader, or too much is uncommitted. */
  | {
      readonly kind: "reject";
      readonly count: number;
      readonly reason: "not-leader" | "overloaded";
      readonly leader: MemberId | undefined;
    }
  | { readonly kind: "role-changed"; readonly role: Role; readonly term: Term; readonly leader: MemberId | undefined }
  /** Whatever was acknowledged before the read began is in the log up to `index`. */
  | { readonly kind: "read-ready"; readonly ticket: number; readonly index: LogIndex }
  | { readonly kind: "read-failed"; readonly ticket: number; readonly leader: MemberId | undefined }
  /** Bring `to` a snapshot of the state at `atLeast` or later, then tell `snapshot-sent`. */
  | { readonly kind: "send-snapshot"; readonly to: MemberId; readonly term: Term; readonly atLeast: LogIndex }
  /** Replace log and state by the snapshot received; confirmed by `persisted`. */
  | {
      readonly kind: "install-snapshot";
      readonly ticket: number;
      readonly hardState: HardState;
      readonly snapshot: SnapshotMeta;
    }
  /** The snapshot received is not needed: drop it. */
  | { readonly kind: "discard-snapshot"; readonly index: LogIndex }
  | { readonly kind: "membership-changed"; readonly membership: Membership }
  | { readonly kind: "change-refused"; readonly change: MembershipChange; readonly reason: string }
  /** A transfer ended; `reason` is undefined when another member has taken over. */
  | { readonly kind: "transfer-ended"; readonly reason: string | undefined };

/** Messages between members. */
export type RaftMessage =
  /** §5.2; `isPreVote` only asks (thesis §9.6), `isTransfer` comes with the leader's consent (thesis §3.10). */
  | {
      readonly kind: "vote";
      readonly term: Term;
      readonly lastIndex: LogIndex;
      readonly lastTerm: Term;
      readonly isPreVote: boolean;
      readonly isTransfer: boolean;
    }
  | { readonly kind: "vote-reply"; readonly term: Term; readonly isPreVote: boolean; readonly isGranted: boolean }
  /** §5.3 */
  | {
      readonly kind: "append";
      readonly term: Term;
      readonly prevIndex: LogIndex;
      readonly prevTerm: Term;
      readonly commit: LogIndex;
      readonly entries: readonly Entry[];
    }
  | AppendReply
  /** Shows that the leader is alive; `round` comes back in the reply. */
  | { readonly kind: "heartbeat"; readonly term: Term; readonly commit: LogIndex; readonly round: number }
  | { readonly kind: "heartbeat-reply"; readonly term: Term; readonly round: number }
  /** Campaign at once, the leader steps aside. */
  | { readonly kind: "timeout-now"; readonly term: Term }
  /** A follower's reader asks the leader. `index` is undefined when it is not the leader. */
  | { readonly kind: "read-index"; readonly term: Term; readonly ticket: number }
  | {
      readonly kind: "read-index-reply";
      readonly term: Term;
      readonly ticket: number;
      readonly index: LogIndex | undefined;
    };

/** The answer to an append. */
export interface AppendReply {
  readonly kind: "append-reply";
  readonly term: Term;
  readonly isAccepted: boolean;
  /** Accepted: the log agrees with the leader's up to here and is durable. Refused: the previous index asked about. */
  readonly index: LogIndex;
  /** Refused: the last index that may agree, with its term here, so that one reply skips a whole term. */
  readonly hintIndex: LogIndex;
  readonly hintTerm: Term;
  /** The member is recovering from damage: it must not be counted. */
  readonly isRecovering: boolean;
}
