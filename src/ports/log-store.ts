/**
 * Stable storage of a raft member: bytes in, bytes out. Framing, checksums and recovery
 * decisions are pure code in core/raft; this port is dumb and may fail.
 */
import type { LogIndex } from "../base/brand.ts";
import type { Entry, HardState } from "../core/raft/raft-types.ts";

/** What a member finds when it starts. */
export interface StoredLog {
  readonly hardState: HardState;
  /** Everything up to here has been compacted away; 0 when nothing was. */
  readonly compactedIndex: LogIndex;
  readonly compactedTerm: number;
  readonly lastIndex: LogIndex;
}

export interface LogStore {
  readonly clusterId: string;
  /** Reads what is stored. Throws LatticeError CORRUPT_LOG, with the reason, rather than guess. */
  load(): StoredLog;
  /** Returns up to `countMax` entries from `from` on. Throws LatticeError CORRUPT_LOG for a damaged one. */
  read(from: LogIndex, countMax: number): readonly Entry[];
  /** Writes everything in one transaction and returns once it is on stable storage. */
  persist(change: {
    readonly hardState: HardState | undefined;
    readonly truncateFrom: LogIndex | undefined;
    readonly entries: readonly Entry[];
  }): void;
  /** Forgets entries up to and including `index`. */
  compact(index: LogIndex): void;
  close(): void;
}
