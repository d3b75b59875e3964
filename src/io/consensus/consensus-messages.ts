/**
 * What the main thread and the raft worker say to each other. Byte strings travel packed
 * into one buffer, which is transferred, so a message costs the same for one proposal as
 * for a thousand.
 */
import type { LogIndex } from "../../base/brand.ts";
import { logIndex, term } from "../../base/brand.ts";
import type { Fault } from "../../core/domain/errors.ts";
import type { MemberId } from "../../core/raft/raft-types.ts";
import type { CommittedEntry, ConsensusStatus } from "../../ports/consensus.ts";

/** Byte strings one after another, and where each ends. */
export interface PackedBytes {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly ends: Uint32Array<ArrayBuffer>;
}

/** From the main thread. The first is `open`. */
export type ConsensusRequest =
  | { readonly kind: "open"; readonly dir: string; readonly memberId: MemberId; readonly address: string }
  | { readonly kind: "start"; readonly applied: LogIndex }
  | { readonly kind: "propose"; readonly proposals: readonly number[]; readonly data: PackedBytes }
  | { readonly kind: "compact"; readonly index: LogIndex }
  | { readonly kind: "close" };

/** From the worker. `open` is answered by `opened` or `failed`, `close` by `closed`. */
export type ConsensusReply =
  | { readonly kind: "opened"; readonly clusterId: string; readonly status: ConsensusStatus }
  | { readonly kind: "committed"; readonly entries: PackedEntries }
  | { readonly kind: "rejected"; readonly proposals: readonly number[]; readonly fault: Fault }
  | { readonly kind: "status"; readonly status: ConsensusStatus }
  | { readonly kind: "failed"; readonly fault: Fault }
  | { readonly kind: "closed" };

/** Consecutive committed entries. */
export interface PackedEntries {
  readonly first: LogIndex;
  readonly terms: readonly number[];
  readonly data: PackedBytes;
}

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
    terms: entries.map((entry) => entry.term),
    data: packBytes(entries.map((entry) => entry.data)),
  };
}

/** Returns the entries that were packed. */
export function unpackEntries({ first, terms, data }: PackedEntries): CommittedEntry[] {
  return unpackBytes(data).map((bytes, i) => ({
    index: logIndex(first + i),
    term: term(terms[i] ?? 0),
    data: bytes,
  }));
}
