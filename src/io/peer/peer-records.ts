/**
 * How what servers say to each other looks inside a frame. Pure code. Everything but the
 * hello comes from an admitted member and has passed its checksum. All numbers are
 * big-endian.
 *
 *   hello             magic:"LATTPEER" version:u16 purpose:u8 to:u64 memberId:u64 boundAt:u64
 *                     clusterId:text storeId:text address:text (0 and empty: absent)
 *   raft              core/raft/message-record
 *   forward           { proposal:u64 length:u32 data }
 *   forward-rejected  reason:u8 { proposal:u64 }
 *   relay             data
 *   snapshot-begin    leaderTerm:u64 index:u64 term:u64 membershipIndex:u64 membership (core/raft/membership)
 *   snapshot-end      length:u64 sha256
 *   text              length:u16, one byte a character (ASCII)
 */
import { logIndex, type Term, term } from "../../base/brand.ts";
import type { Result } from "../../base/result.ts";
import { err, ok } from "../../base/result.ts";
import { decodeMembership, encodeMembership } from "../../core/raft/membership.ts";
import { decodeMessage, encodeMessage } from "../../core/raft/message-record.ts";
import type { MemberId, SnapshotMeta } from "../../core/raft/raft-types.ts";
import type { ForwardedProposal, PeerFrame, PeerIdentity } from "../../ports/peer-link.ts";
import type { Frame } from "./frames.ts";

/** The version of all that is said; another one is refused. */
export const PROTOCOL_VERSION = 1;

/** What a connection is for. */
export type Purpose = "link" | "snapshot";

/** How each end introduces itself. */
export interface Hello {
  readonly purpose: Purpose;
  /** Whom the sender means to speak with; 0 when it was called and takes whoever calls. */
  readonly to: MemberId;
  readonly identity: PeerIdentity;
}

/** What a snapshot connection begins with. */
export interface SnapshotHead {
  /** The leader's. */
  readonly term: Term;
  readonly meta: SnapshotMeta;
}

/** What a snapshot connection ends with. */
export interface SnapshotSeal {
  readonly length: number;
  readonly sha256: Uint8Array;
}

const MAGIC = new TextEncoder().encode("LATTPEER");
const VERSION_AT = MAGIC.length;
const HELLO_FIXED_BYTES = MAGIC.length + 27;
const PURPOSES: readonly Purpose[] = ["link", "snapshot"];
const REASONS = ["not-leader", "overloaded"] as const;
const SHA256_BYTES = 32;

/** Returns the bytes of a hello. */
export function encodeHello({ purpose, to, identity }: Hello): Uint8Array {
  const head = new Uint8Array(HELLO_FIXED_BYTES);
  head.set(MAGIC);
  const view = viewOf(head);
  view.setUint16(VERSION_AT, PROTOCOL_VERSION);
  view.setUint8(VERSION_AT + 2, PURPOSES.indexOf(purpose));
  view.setBigUint64(VERSION_AT + 3, BigInt(to));
  const { memberId, clusterId, storeId, address = "", boundAt = 0 } = identity;
  view.setBigUint64(VERSION_AT + 11, BigInt(memberId));
  view.setBigUint64(VERSION_AT + 19, BigInt(boundAt));
  return Buffer.concat([head, textBytes(clusterId), textBytes(storeId), textBytes(address)]);
}

/** Reads a hello; the error is a sentence that names what is wrong with it. */
export function decodeHello(bytes: Uint8Array): Result<Hello, string> {
  if (!MAGIC.every((byte, i) => bytes[i] === byte) || bytes.length < VERSION_AT + 2)
    return err("it is no Lattice server");
  const view = viewOf(bytes);
  const version = view.getUint16(VERSION_AT);
  if (version !== PROTOCOL_VERSION) {
    return err(`protocol version ${version} meets a server that speaks version ${PROTOCOL_VERSION}`);
  }
  if (bytes.length < HELLO_FIXED_BYTES) return err("a hello is cut short");
  const purpose = PURPOSES[view.getUint8(VERSION_AT + 2)];
  const texts: string[] = [];
  for (let at = HELLO_FIXED_BYTES; texts.length < 3; ) {
    const text = textAt(bytes, at);
    if (text === undefined) return err("a hello is malformed");
    texts.push(text);
    at += 2 + text.length;
  }
  const [clusterId = "", storeId = "", address = ""] = texts;
  if (purpose === undefined) return err("a hello is malformed");
  const memberId = Number(view.getBigUint64(VERSION_AT + 11));
  const to = Number(view.getBigUint64(VERSION_AT + 3));
  const boundAt = logIndex(Number(view.getBigUint64(VERSION_AT + 19)));
  const identity = {
    clusterId,
    memberId,
    storeId,
    ...(address !== "" && { address }),
    ...(boundAt > 0 && { boundAt }),
  };
  return ok({ purpose, to, identity });
}

/** Returns the frame of what a member sends. */
export function encodePeerFrame(frame: PeerFrame): Frame {
  switch (frame.kind) {
    case "raft":
      return { kind: "raft", payload: encodeMessage(frame.message) };
    case "forward":
      return { kind: "forward", payload: encodeProposals(frame.proposals) };
    case "forward-rejected": {
      const payload = new Uint8Array(1 + 8 * frame.proposals.length);
      payload[0] = REASONS.indexOf(frame.reason);
      for (const [i, proposal] of frame.proposals.entries()) viewOf(payload).setBigUint64(1 + 8 * i, BigInt(proposal));
      return { kind: "forward-rejected", payload };
    }
    case "relay":
      return { kind: "relay", payload: frame.data };
  }
}

/** Reads what a member sent; the error is a sentence that names what is wrong with it. */
export function decodePeerFrame({ kind, payload }: Frame): Result<PeerFrame, string> {
  switch (kind) {
    case "raft": {
      const message = decodeMessage(payload);
      return message.ok ? ok({ kind, message: message.value }) : message;
    }
    case "forward": {
      const proposals = decodeProposals(payload);
      return proposals === undefined ? err("forwarded proposals are cut short") : ok({ kind, proposals });
    }
    case "forward-rejected": {
      const reason = REASONS[payload[0] ?? REASONS.length];
      if (reason === undefined || payload.length % 8 !== 1) return err("a rejection is malformed");
      const at = (i: number): number => Number(viewOf(payload).getBigUint64(1 + 8 * i));
      return ok({ kind, proposals: Array.from({ length: (payload.length - 1) / 8 }, (_, i) => at(i)), reason });
    }
    case "relay":
      return ok({ kind, data: payload });
    default:
      return err(`a ${kind} frame is out of place`);
  }
}

/** Returns the bytes that a snapshot connection begins with. */
export function encodeSnapshotHead({ term: leaders, meta }: SnapshotHead): Uint8Array {
  const numbers = new Uint8Array(32);
  for (const [i, value] of [leaders, meta.index, meta.term, meta.membership.index].entries()) {
    viewOf(numbers).setBigUint64(8 * i, BigInt(value));
  }
  return Buffer.concat([numbers, encodeMembership(meta.membership.membership)]);
}

/** Reads what a snapshot connection begins with; undefined when it is malformed. */
export function decodeSnapshotHead(bytes: Uint8Array): SnapshotHead | undefined {
  if (bytes.length <= 32) return undefined;
  const at = (i: number): number => Number(viewOf(bytes).getBigUint64(8 * i));
  const membership = { index: logIndex(at(3)), membership: decodeMembership(bytes.subarray(32)) };
  return { term: term(at(0)), meta: { index: logIndex(at(1)), term: term(at(2)), membership } };
}

/** Returns the bytes that a snapshot connection ends with. */
export function encodeSnapshotSeal({ length, sha256 }: SnapshotSeal): Uint8Array {
  const bytes = new Uint8Array(8 + SHA256_BYTES);
  viewOf(bytes).setBigUint64(0, BigInt(length));
  bytes.set(sha256, 8);
  return bytes;
}

/** Reads what a snapshot connection ends with; undefined when it is malformed. */
export function decodeSnapshotSeal(bytes: Uint8Array): SnapshotSeal | undefined {
  if (bytes.length !== 8 + SHA256_BYTES) return undefined;
  return { length: Number(viewOf(bytes).getBigUint64(0)), sha256: bytes.subarray(8) };
}

function encodeProposals(proposals: readonly ForwardedProposal[]): Uint8Array {
  const bytes = new Uint8Array(proposals.reduce((sum, { data }) => sum + 12 + data.length, 0));
  const view = viewOf(bytes);
  let at = 0;
  for (const { proposal, data } of proposals) {
    view.setBigUint64(at, BigInt(proposal));
    view.setUint32(at + 8, data.length);
    bytes.set(data, at + 12);
    at += 12 + data.length;
  }
  return bytes;
}

function decodeProposals(bytes: Uint8Array): readonly ForwardedProposal[] | undefined {
  const view = viewOf(bytes);
  const proposals: ForwardedProposal[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + 12 > bytes.length) return undefined;
    const end = at + 12 + view.getUint32(at + 8);
    if (end > bytes.length) return undefined;
    proposals.push({ proposal: Number(view.getBigUint64(at)), data: bytes.subarray(at + 12, end) });
    at = end;
  }
  return proposals;
}

function textBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(2 + text.length);
  viewOf(bytes).setUint16(0, text.length);
  bytes.set(Buffer.from(text, "latin1"), 2);
  return bytes;
}

function textAt(bytes: Uint8Array, at: number): string | undefined {
  if (at + 2 > bytes.length) return undefined;
  const end = at + 2 + viewOf(bytes).getUint16(at);
  return end > bytes.length ? undefined : Buffer.from(bytes.subarray(at + 2, end)).toString("latin1");
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
