/**
 * A member's links to the others. The link dials, introduces, authenticates, pings and
 * backs off by itself; it knows nothing of terms or logs. What it takes may be lost,
 * repeated or late, never changed: the core assumes no more.
 */
import type { LogIndex, Term } from "../base/brand.ts";
import type { MemberId, RaftMessage, SnapshotMeta } from "../core/raft/raft-types.ts";

/** What a member says of itself when a link opens. */
export interface PeerIdentity {
  /** Empty: it waits to join one. */
  readonly clusterId: string;
  readonly memberId: MemberId;
  /** Names its data directory. */
  readonly storeId: string;
  /** HOST:PORT at which it is found; absent from one that does not know. */
  readonly address?: string;
  /** Index of the newest membership in its log that names its store; absent while none does. */
  readonly boundAt?: LogIndex;
}

/** Where a member listens. */
export interface PeerAddress {
  readonly id: MemberId;
  /** HOST:PORT */
  readonly address: string;
  /** Where it may be instead, tried in turn: what the configuration says, where that differs. */
  readonly alternate?: string;
}

/** A proposal on its way to the leader. */
export interface ForwardedProposal {
  /** The sender's number for it. */
  readonly proposal: number;
  readonly data: Uint8Array;
}

/** What travels over a link. */
export type PeerFrame =
  | { readonly kind: "raft"; readonly message: RaftMessage }
  | { readonly kind: "forward"; readonly proposals: readonly ForwardedProposal[] }
  /** Proposals of the receiver that surely will not commit. */
  | {
      readonly kind: "forward-rejected";
      readonly proposals: readonly number[];
      readonly reason: "not-leader" | "overloaded";
    }
  /** From main loop to main loop; the log knows nothing of it. */
  | { readonly kind: "relay"; readonly data: Uint8Array };

/** A whole snapshot that has arrived, verified and on stable storage. */
export interface ReceivedSnapshot {
  readonly meta: SnapshotMeta;
  /** Where it lies, for whoever puts it in place. */
  readonly path: string;
}

/** A snapshot that a member needs. */
export interface SnapshotOrder {
  readonly to: MemberId;
  readonly address: string;
  /** The leader's. */
  readonly term: Term;
  readonly atLeast: LogIndex;
}

/** What the link tells its driver, in the driver's thread. */
export interface PeerLinkListener {
  /** What this member says of itself. */
  identity(): PeerIdentity;
  /**
   * Judges a member that introduced itself, called or calling; returns why it is refused.
   * A member that waits to join adopts the cluster of whom it admits here.
   */
  admit(peer: PeerIdentity): string | undefined;
  onFrame(from: MemberId, frame: PeerFrame): void;
  onSnapshot(from: MemberId, term: Term, snapshot: ReceivedSnapshot): void;
  /** Frames to `member` leave from here on. */
  onConnected(member: MemberId): void;
  /** Frames under way to `member` may be lost. */
  onLost(member: MemberId): void;
}

/** The links of one member. */
export interface PeerLink {
  /** Begins to listen and to dial. @throws LatticeError INTERNAL when it cannot listen. */
  start(listener: PeerLinkListener): Promise<void>;
  /** Whom to be linked with; links to others end. */
  setPeers(peers: readonly PeerAddress[]): void;
  /** Sends, or drops when there is no link or too much waits on it: then onLost follows. */
  send(to: MemberId, frame: PeerFrame): void;
  close(): Promise<void>;
}
