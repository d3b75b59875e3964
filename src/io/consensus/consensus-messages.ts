/**
 * What the main thread and the raft worker say to each other. Byte strings travel packed
 * into one buffer, which is transferred, so a message costs the same for one proposal as
 * for a thousand.
 */
import type { LogIndex } from "../../base/brand.ts";
import { logIndex, term } from "../../base/brand.ts";
import type { Fault } from "../../core/domain/errors.ts";
import type { EntryKind, MemberId, MembershipChange } from "../../core/raft/raft-types.ts";
import type { CommittedEntry, ConsensusStatus } from "../../ports/consensus.ts";
import type { LogLevel } from "../../ports/log.ts";
import type { PeerAddress, PeerIdentity, ReceivedSnapshot, SnapshotOrder } from "../../ports/peer-link.ts";
import type { ListenAddress, PeerTls } from "../peer/peer-network.ts";

/** Which member the worker is to run, and how. */
export interface RaftMemberOptions {
  /** Directory of the log, which exists. */
  readonly dir: string;
  readonly memberId: MemberId;
  /** Where other members and people find this one. */
  readonly address: string;
  /** The others are told when it differs from what they know; absent: it may be a guess. */
  readonly isAddressChosen?: boolean;
  /** Whom to dial before there is a membership. */
  readonly peers: readonly PeerAddress[];
  /** Undefined: nobody connects to this server, it is alone. */
  readonly listen: ListenAddress | undefined;
  /** Absent: links in the clear. */
  readonly tls?: PeerTls;
  /** Shortest silence of the leader before an election. */
  readonly electionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  /** What the worker writes to the log of the process; info and above unless given. */
  readonly logLevel?: LogLevel;
}

/** Byte strings one after another, and where each ends. */
export interface PackedBytes {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly ends: Uint32Array<ArrayBuffer>;
}

/** Consecutive committed entries. */
export interface PackedEntries {
  readonly first: LogIndex;
  readonly terms: Float64Array<ArrayBuffer>;
  /** Positions in ENTRY_KINDS. */
  readonly kinds: Uint8Array<ArrayBuffer>;
  readonly data: PackedBytes;
}

/** What is asked with a ticket: `answered` says how it ended. */
export type ConsensusQuestion =
  /** For everybody on the main thread who waits for an index. */
  | { readonly kind: "read" }
  | { readonly kind: "change"; readonly change: MembershipChange }
  | { readonly kind: "transfer"; readonly to: MemberId };

/** From the main thread. The first is `open`. */
export type ConsensusRequest =
  | { readonly kind: "open"; readonly member: RaftMemberOptions }
  | { readonly kind: "start"; readonly applied: LogIndex }
  | { readonly kind: "propose"; readonly proposals: readonly number[]; readonly data: PackedBytes }
  | { readonly kind: "ask"; readonly ticket: number; readonly question: ConsensusQuestion }
  | { readonly kind: "relay"; readonly to: MemberId; readonly data: Uint8Array<ArrayBuffer> }
  /** `index` is undefined when the snapshot has not arrived. */
  | { readonly kind: "snapshot-sent"; readonly ticket: number; readonly index: LogIndex | undefined }
  /** The certificates of this server have been replaced. */
  | { readonly kind: "certificates"; readonly tls: PeerTls }
  | { readonly kind: "compact"; readonly index: LogIndex }
  | { readonly kind: "close" };

/** From the worker. `open` is answered by `opened` or `failed`, `close` by `closed`. */
export type ConsensusReply =
  | { readonly kind: "opened"; readonly identity: PeerIdentity; readonly status: ConsensusStatus }
  | { readonly kind: "committed"; readonly entries: PackedEntries }
  | { readonly kind: "snapshot"; readonly snapshot: ReceivedSnapshot }
  | { readonly kind: "snapshot-wanted"; readonly ticket: number; readonly order: SnapshotOrder }
  | { readonly kind: "rejected"; readonly proposals: readonly number[]; readonly fault: Fault }
  /** `index` answers a read. */
  | { readonly kind: "answered"; readonly ticket: number; readonly index?: LogIndex; readonly fault?: Fault }
  | { readonly kind: "relayed"; readonly from: MemberId; readonly data: Uint8Array }
  /** `isNews`: leader, term or members have changed, and not only what is measured. */
  | {
      readonly kind: "status";
      readonly identity: PeerIdentity;
      readonly status: ConsensusStatus;
      readonly isNews: boolean;
    }
  | { readonly kind: "failed"; readonly fault: Fault }
  | { readonly kind: "closed" };

const ENTRY_KINDS: readonly EntryKind[] = ["noop", "command", "membership"];

/** Copies byte strings into one buffer. */
export function packBytes(parts: readonly Uint8Array[]): PackedBytes {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  const ends = new Uint32Array(parts.length);
  let end = 0;
  for (const [i, part] of parts.entries()) {
    bytes.set(part, end);
    end += part.length;
    ends[i] = end;
  }
  return { bytes, ends };
}

/** Returns the byte strings, as views of the one buffer. */
export function unpackBytes({ bytes, ends }: PackedBytes): Uint8Array[] {
  return Array.from(ends, (end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end));
}

/** Packs consecutive entries. */
export function packEntries(entries: readonly CommittedEntry[]): PackedEntries {
  return {
    first: entries[0]?.index ?? logIndex(0),
    terms: Float64Array.from(entries, (entry) => entry.term),
    kinds: Uint8Array.from(entries, (entry) => ENTRY_KINDS.indexOf(entry.kind)),
    data: packBytes(entries.map((entry) => entry.data)),
  };
}

/** Returns the entries that were packed. */
export function unpackEntries({ first, terms, kinds, data }: PackedEntries): CommittedEntry[] {
  return unpackBytes(data).map((bytes, i) => ({
    index: logIndex(first + i),
    term: term(terms[i] ?? 0),
    kind: ENTRY_KINDS[kinds[i] ?? 0] ?? "noop",
    data: bytes,
  }));
}

/** Returns the buffers that travel with packed bytes. */
export const buffersOf = ({ bytes, ends }: PackedBytes): ArrayBuffer[] => [bytes.buffer, ends.buffer];
