/**
 * How entries and the member's own state look as bytes: version, payload, CRC-32 over
 * both. Stores keep these records as they are and understand nothing of them. All numbers
 * are big-endian.
 *
 *   entry     version:u8 kind:u8 index:u64 term:u64 data crc:u32
 *   state     version:u8 hasVote:u8 term:u64 votedFor:u64 commit:u64 recoverUntil:u64
 *             compactedIndex:u64 compactedTerm:u64 lastIndex:u64
 *             membershipIndex:u64 membership crc:u32
 *   identity  version:u8 memberId:u64 storeId:text clusterId:text crc:u32
 *   stores    version:u8 count:u16 { id:u64 storeId:text } crc:u32
 *   text      length:u8, one byte a character (ASCII)
 */
import type { LogIndex } from "../../base/brand.ts";
import { logIndex, term } from "../../base/brand.ts";
import { crc32 } from "../../base/hash.ts";
import type { Result } from "../../base/result.ts";
import { err, ok } from "../../base/result.ts";
import type { LogShape } from "./log.ts";
import { decodeMembership, encodeMembership } from "./membership.ts";
import type { Entry, EntryKind, HardState, MemberId, MembershipAt } from "./raft-types.ts";

/** The version of the records; a log of another version is refused. */
export const RECORD_VERSION = 2;

/** What one row of a store keeps beside the entries. */
export interface LogState extends Omit<LogShape, "runs"> {
  readonly hardState: HardState;
  /** The membership in force at the compacted index. */
  readonly membership: MembershipAt;
}

/** To whom a log belongs. */
export interface LogIdentity {
  /** Empty while the member waits to join a cluster. */
  readonly clusterId: string;
  readonly memberId: MemberId;
  /** Names the data directory. */
  readonly storeId: string;
}

const KINDS: readonly EntryKind[] = ["noop", "command", "membership"];
const CRC_BYTES = 4;
const ENTRY_HEADER_BYTES = 18;
const STATE_HEADER_BYTES = 66;
const IDENTITY_HEADER_BYTES = 9;
const STORES_HEADER_BYTES = 3;

/** Returns the record of an entry. */
export function encodeEntry(entry: Entry): Uint8Array {
  const record = new Uint8Array(ENTRY_HEADER_BYTES + entry.data.length + CRC_BYTES);
  const view = viewOf(record);
  view.setUint8(1, KINDS.indexOf(entry.kind));
  view.setBigUint64(2, BigInt(entry.index));
  view.setBigUint64(10, BigInt(entry.term));
  record.set(entry.data, ENTRY_HEADER_BYTES);
  return seal(record);
}

/** Reads the record of entry `index`; the error is a sentence that names what is wrong with it. */
export function decodeEntry(record: Uint8Array, index: LogIndex): Result<Entry, string> {
  const defect = findDefect(record, ENTRY_HEADER_BYTES + CRC_BYTES);
  if (defect) return err(`entry ${index} ${defect}`);
  const view = viewOf(record);
  const kind = KINDS[view.getUint8(1)];
  if (kind === undefined) return err(`entry ${index} is of an unknown kind (${view.getUint8(1)})`);
  const own = Number(view.getBigUint64(2));
  if (own !== index) return err(`entry ${own} is stored in the place of entry ${index}`);
  const data = record.subarray(ENTRY_HEADER_BYTES, record.length - CRC_BYTES);
  return ok({ index, term: term(Number(view.getBigUint64(10))), kind, data });
}

/** Returns the record of a member's state. */
export function encodeState(state: LogState): Uint8Array {
  const members = encodeMembership(state.membership.membership);
  const record = new Uint8Array(STATE_HEADER_BYTES + members.length + CRC_BYTES);
  const view = viewOf(record);
  const { term: current, votedFor, commit, recoverUntil = 0 } = state.hardState;
  view.setUint8(1, votedFor === undefined ? 0 : 1);
  const { compactedIndex, compactedTerm, lastIndex, membership } = state;
  const ofLog = [compactedIndex, compactedTerm, lastIndex, membership.index];
  const numbers = [current, votedFor ?? 0, commit, recoverUntil, ...ofLog];
  for (const [i, value] of numbers.entries()) view.setBigUint64(2 + 8 * i, BigInt(value));
  record.set(members, STATE_HEADER_BYTES);
  return seal(record);
}

/** Reads the record of a member's state; the error is a sentence that names what is wrong with it. */
export function decodeState(record: Uint8Array): Result<LogState, string> {
  const defect = findDefect(record, STATE_HEADER_BYTES + CRC_BYTES);
  if (defect) return err(`the state record ${defect}`);
  const view = viewOf(record);
  const at = (i: number): number => Number(view.getBigUint64(2 + 8 * i));
  const recoverUntil = logIndex(at(3));
  const members = record.subarray(STATE_HEADER_BYTES, record.length - CRC_BYTES);
  return ok({
    hardState: {
      term: term(at(0)),
      votedFor: view.getUint8(1) === 1 ? at(1) : undefined,
      commit: logIndex(at(2)),
      ...(recoverUntil > 0 && { recoverUntil }),
    },
    compactedIndex: logIndex(at(4)),
    compactedTerm: term(at(5)),
    lastIndex: logIndex(at(6)),
    membership: { index: logIndex(at(7)), membership: decodeMembership(members) },
  });
}

/** Returns the record of a log's identity. */
export function encodeIdentity({ clusterId, memberId, storeId }: LogIdentity): Uint8Array {
  const texts = [...encodeText(storeId), ...encodeText(clusterId)];
  const record = new Uint8Array(IDENTITY_HEADER_BYTES + texts.length + CRC_BYTES);
  viewOf(record).setBigUint64(1, BigInt(memberId));
  record.set(texts, IDENTITY_HEADER_BYTES);
  return seal(record);
}

/** Reads the record of a log's identity; the error is a sentence that names what is wrong with it. */
export function decodeIdentity(record: Uint8Array): Result<LogIdentity, string> {
  const defect = findDefect(record, IDENTITY_HEADER_BYTES + CRC_BYTES);
  if (defect) return err(`the identity record ${defect}`);
  const storeId = decodeText(record, IDENTITY_HEADER_BYTES);
  const clusterId = decodeText(record, IDENTITY_HEADER_BYTES + 1 + storeId.length);
  return ok({ clusterId, memberId: Number(viewOf(record).getBigUint64(1)), storeId });
}

/** Returns the record of the stores that other members came with. */
export function encodeStores(stores: ReadonlyMap<MemberId, string>): Uint8Array {
  const known = [...stores].map(([id, storeId]) => ({ id, text: encodeText(storeId) }));
  const length = known.reduce((sum, { text }) => sum + 8 + text.length, STORES_HEADER_BYTES);
  const record = new Uint8Array(length + CRC_BYTES);
  const view = viewOf(record);
  view.setUint16(1, known.length);
  let at = STORES_HEADER_BYTES;
  for (const { id, text } of known) {
    view.setBigUint64(at, BigInt(id));
    record.set(text, at + 8);
    at += 8 + text.length;
  }
  return seal(record);
}

/** Reads the record of the known stores; the error is a sentence that names what is wrong with it. */
export function decodeStores(record: Uint8Array): Result<ReadonlyMap<MemberId, string>, string> {
  const defect = findDefect(record, STORES_HEADER_BYTES + CRC_BYTES);
  if (defect) return err(`the record of known stores ${defect}`);
  const view = viewOf(record);
  const stores = new Map<MemberId, string>();
  for (let i = view.getUint16(1), at = STORES_HEADER_BYTES; i > 0; i--) {
    const storeId = decodeText(record, at + 8);
    stores.set(Number(view.getBigUint64(at)), storeId);
    at += 9 + storeId.length;
  }
  return ok(stores);
}

function encodeText(text: string): Uint8Array {
  const bytes = new Uint8Array(1 + text.length);
  bytes[0] = text.length;
  for (let i = 0; i < text.length; i++) bytes[1 + i] = text.charCodeAt(i);
  return bytes;
}

const decodeText = (record: Uint8Array, at: number): string =>
  String.fromCharCode(...record.subarray(at + 1, at + 1 + (record[at] ?? 0)));

/** Fills in the version in front and the checksum behind. */
function seal(record: Uint8Array): Uint8Array {
  record[0] = RECORD_VERSION;
  const end = record.length - CRC_BYTES;
  viewOf(record).setUint32(end, crc32(record.subarray(0, end)));
  return record;
}

/** The checksum comes first: of a damaged record nothing is believed, its version least. */
function findDefect(record: Uint8Array, lengthMin: number): string | undefined {
  if (record.length < lengthMin) return `is cut short (${record.length} bytes)`;
  const end = record.length - CRC_BYTES;
  const stored = viewOf(record).getUint32(end);
  if (stored !== crc32(record.subarray(0, end))) return "is damaged: its checksum does not match";
  if (record[0] !== RECORD_VERSION)
    return `has format version ${record[0]}; this build reads version ${RECORD_VERSION}`;
  return undefined;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
