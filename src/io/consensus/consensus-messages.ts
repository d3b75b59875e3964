/**
 * What the main thread and the raft worker say to each other. Proposals and entries travel
 * packed into one buffer, which is transferred, in a flat message: each buffer and each
 * object more costs as much as the rest of it.
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

/** Parts in one buffer: a head for each (number, end, mark), then their bytes one after another. */
export interface PackedParts {
  readonly count: number;
  readonly buffer: ArrayBuffer;
}

/** Consecutive committed entries: numbers are terms, marks are positions in ENTRY_KINDS. */
export interface PackedEntries extends PackedParts {
  readonly first: LogIndex;
}

/** Bytes to be stored, under the number of their proposal. */
export interface NumberedProposal {
  readonly proposal: number;
  readonly data: Uint8Array;
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
  | ({ readonly kind: "propose" } & PackedParts)
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
  | ({ readonly kind: "committed" } & PackedEntries)
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

/** Packs proposals. */
export const packProposals = (proposals: readonly NumberedProposal[]): PackedParts =>
  pack(proposals.map(({ proposal, data }) => ({ number: proposal, mark: 0, data })));

/** Returns the proposals that were packed, with views of the one buffer. */
export const unpackProposals = (packed: PackedParts): NumberedProposal[] =>
  unpack(packed).map(({ number, data }) => ({ proposal: number, data }));

/** Packs consecutive entries. */
export function packEntries(entries: readonly CommittedEntry[]): PackedEntries {
  const parts = entries.map(({ term, kind, data }) => ({ number: term, mark: ENTRY_KINDS.indexOf(kind), data }));
  return { first: entries[0]?.index ?? logIndex(0), ...pack(parts) };
}

/** Returns the entries that were packed, with views of the one buffer. */
export const unpackEntries = ({ first, ...packed }: PackedEntries): CommittedEntry[] =>
  unpack(packed).map(({ number, mark, data }, i) => ({
    index: logIndex(first + i),
    term: term(number),
    kind: ENTRY_KINDS[mark] ?? "noop",
    data,
  }));

interface Part {
  readonly number: number;
  readonly mark: number;
  readonly data: Uint8Array;
}

/** A head: the number as a double, then end and mark as words. */
const HEAD_BYTES = 16;

function pack(parts: readonly Part[]): PackedParts {
  const count = parts.length;
  let end = count * HEAD_BYTES;
  const buffer = new ArrayBuffer(parts.reduce((sum, { data }) => sum + data.length, end));
  const { doubles, words } = headsOf({ count, buffer });
  const bytes = new Uint8Array(buffer);
  for (const [i, { number, mark, data }] of parts.entries()) {
    bytes.set(data, end);
    end += data.length;
    doubles[2 * i] = number;
    words[4 * i + 2] = end;
    words[4 * i + 3] = mark;
  }
  return { count, buffer };
}

function unpack(packed: PackedParts): Part[] {
  const { doubles, words } = headsOf(packed);
  let start = packed.count * HEAD_BYTES;
  return Array.from({ length: packed.count }, (_, i) => {
    const end = words[4 * i + 2] ?? start;
    const data = new Uint8Array(packed.buffer, start, end - start);
    start = end;
    return { number: doubles[2 * i] ?? 0, mark: words[4 * i + 3] ?? 0, data };
  });
}

const headsOf = ({ count, buffer }: PackedParts) => ({
  doubles: new Float64Array(buffer, 0, 2 * count),
  words: new Uint32Array(buffer, 0, 4 * count),
});
