/**
 * The vocabulary of consensus: inputs, effects, messages. The core is
 * `step(node, input) -> effects`; it has no clock, no disk and no sockets. A tick is one
 * call of the driver's timer; bytes of entries are opaque.
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
  readonly data: Uint8Array;
}

/** What must survive a crash besides the log. */
export interface HardState {
  readonly term: Term;
  /** Whom this member voted for in `term`. */
  readonly votedFor: MemberId | undefined;
  /** Highest index known to be committed; may lag, never leads. */
  readonly commit: LogIndex;
}

/** A member's part in its term. */
export type Role = "follower" | "pre-candidate" | "candidate" | "leader" | "learner";

/** What drives the core. */
export type RaftInput =
  /** The member has read its log and takes part; given once, first. */
  | { readonly kind: "start" }
  | { readonly kind: "tick" }
  | { readonly kind: "propose"; readonly data: readonly Uint8Array[] }
  /** The `persist` effect with this number is on stable storage. */
  | { readonly kind: "persisted"; readonly ticket: number }
  /** The state machine holds everything up to `index` durably. */
  | { readonly kind: "compact"; readonly index: LogIndex }
  | { readonly kind: "receive"; readonly from: MemberId; readonly message: RaftMessage };

/**
 * What the driver must do, in the order given. Durability is data: `after` names the
 * persist ticket that must be on stable storage before the effect is carried out (0: at
 * once). Tickets grow by one.
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
  /** Everything up to `index` is committed: hand it to the state machine, in order, each once. */
  | { readonly kind: "commit"; readonly index: LogIndex }
  /** Forget the entries up to and including `index`. */
  | { readonly kind: "compact"; readonly index: LogIndex }
  /** The last `count` proposals were not taken; the caller asks the leader named. */
  | { readonly kind: "reject"; readonly count: number; readonly leader: MemberId | undefined }
  | { readonly kind: "role-changed"; readonly role: Role; readonly term: Term; readonly leader: MemberId | undefined };

/** Messages between members. The set grows with replication; a single member sends none. */
export type RaftMessage = { readonly kind: "none" };
