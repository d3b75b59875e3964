/**
 * Stable storage of a raft member: bytes in, bytes out. Framing, checksums and recovery
 * decisions are pure code in core/raft; this port is dumb and may fail.
 */
import type { LogIndex } from "../base/brand.ts";
import type { LogShape } from "../core/raft/log.ts";
import type { Entry, HardState, MemberId, MembershipAt, SnapshotMeta } from "../core/raft/raft-types.ts";
import type { PeerIdentity } from "./peer-link.ts";

/** What a member finds when it starts. */
export interface StoredLog {
  readonly hardState: HardState;
  readonly shape: LogShape;
  /** The one at the compacted index, then those of the entries that follow, in order. */
  readonly memberships: readonly MembershipAt[];
}

/** One write: all of it, or none of it. */
export interface LogChange {
  /** Undefined keeps the last one. */
  readonly hardState: HardState | undefined;
  /** Drop the log from this index on before appending; undefined keeps all. */
  readonly truncateFrom: LogIndex | undefined;
  /** Consecutive, following what is left. */
  readonly entries: readonly Entry[];
}

/** One member's store, open and locked. */
export interface LogStore {
  /** Whose log it is. The cluster's id is empty until `adopt`. */
  readonly identity: PeerIdentity;
  /** The stores of the other members as this one first met them. */
  readonly knownStores: ReadonlyMap<MemberId, string>;
  /** Set when damage was found as it was opened and cut off: a sentence for the log. */
  readonly damage?: string;
  /** Returns what is stored, as verified when the store was opened and changed since. */
  load(): StoredLog;
  /**
   * Returns up to `countMax` entries from `from` on; fewer only at the end of the log.
   * Throws LatticeError CORRUPT_LOG for a damaged one.
   */
  read(from: LogIndex, countMax: number): readonly Entry[];
  /**
   * Writes everything in one transaction and returns once it is on stable storage. Throws
   * LatticeError INTERNAL when it cannot; after that the store takes no more writes.
   */
  persist(change: LogChange): void;
  /** Replaces the whole log by the snapshot that it begins after, in one transaction, durably. */
  installSnapshot(hardState: HardState, snapshot: SnapshotMeta): void;
  /** Forgets entries up to and including `index`, which must have been applied. */
  compact(index: LogIndex): void;
  /** Joins the cluster, durably, once and for all. */
  adopt(clusterId: string): void;
  /** Remembers, durably, which store member `id` came with. */
  rememberStore(id: MemberId, storeId: string): void;
  close(): void;
}
