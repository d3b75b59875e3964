/**
 * How messages between members look as bytes. Entries travel as the records that stores
 * keep, each with its own checksum, so damage on the way is found before anything is
 * written; the frame around a message has a checksum for the rest. All numbers are
 * big-endian.
 *
 *   message  kind:u8 flags:u8 term:u64 number:u64 (five of them) { length:u32 record }
 *
 * What the numbers and flags are, by kind: fieldsOf.
 */
import type { LogIndex } from "../../base/brand.ts";
import { logIndex, term } from "../../base/brand.ts";
import type { Result } from "../../base/result.ts";
import { err, ok } from "../../base/result.ts";
import type { Entry, RaftMessage } from "./raft-types.ts";
import { decodeEntry, encodeEntry } from "./record.ts";

type Kind = RaftMessage["kind"];

/** In the order of their numbers on the wire, which never changes. */
const KINDS: readonly Kind[] = [
  "vote",
  "vote-reply",
  "append",
  "append-reply",
  "heartbeat",
  "heartbeat-reply",
  "timeout-now",
  "read-index",
  "read-index-reply",
];
const NUMBERS = 5;
const HEADER_BYTES = 10 + 8 * NUMBERS;

interface Fields {
  readonly flags?: readonly boolean[];
  readonly numbers?: readonly number[];
  readonly entries?: readonly Entry[];
}

/** Returns the bytes of a message. */
export function encodeMessage(message: RaftMessage): Uint8Array<ArrayBuffer> {
  const { flags = [], numbers = [], entries = [] } = fieldsOf(message);
  const records = entries.map(encodeEntry);
  const bytes = new Uint8Array(records.reduce((sum, record) => sum + 4 + record.length, HEADER_BYTES));
  const view = new DataView(bytes.buffer);
  view.setUint8(0, KINDS.indexOf(message.kind));
  view.setUint8(
    1,
    flags.reduce((set, flag, i) => set | (flag ? 1 << i : 0), 0),
  );
  for (const [i, value] of [message.term, ...numbers].entries()) view.setBigUint64(2 + 8 * i, BigInt(value));
  let at = HEADER_BYTES;
  for (const record of records) {
    view.setUint32(at, record.length);
    bytes.set(record, at + 4);
    at += 4 + record.length;
  }
  return bytes;
}

/** Reads a message; the error is a sentence that names what is wrong with it. */
export function decodeMessage(bytes: Uint8Array): Result<RaftMessage, string> {
  if (bytes.length < HEADER_BYTES) return err(`a message is cut short (${bytes.length} bytes)`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = KINDS[view.getUint8(0)];
  if (kind === undefined) return err(`a message is of an unknown kind (${view.getUint8(0)})`);
  const flag = (i: number): boolean => (view.getUint8(1) & (1 << i)) !== 0;
  const number = (i: number): number => Number(view.getBigUint64(10 + 8 * i));
  const parts = { term: term(Number(view.getBigUint64(2))), flag, number };
  if (kind !== "append") return ok(messageOf(kind, parts));
  const entries = decodeEntries(bytes, logIndex(number(0) + 1));
  if (!entries.ok) return entries;
  const [prevIndex, prevTerm, commit] = [logIndex(number(0)), term(number(1)), logIndex(number(2))];
  return ok({ kind, term: parts.term, prevIndex, prevTerm, commit, entries: entries.value });
}

function decodeEntries(bytes: Uint8Array, first: LogIndex): Result<readonly Entry[], string> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: Entry[] = [];
  for (let at = HEADER_BYTES; at < bytes.length; ) {
    if (at + 4 > bytes.length) return err("an append is cut short");
    const end = at + 4 + view.getUint32(at);
    if (end > bytes.length) return err("an append is cut short");
    const entry = decodeEntry(bytes.subarray(at + 4, end), logIndex(first + entries.length));
    if (!entry.ok) return entry;
    entries.push(entry.value);
    at = end;
  }
  return ok(entries);
}

function fieldsOf(message: RaftMessage): Fields {
  switch (message.kind) {
    case "vote":
      return { flags: [message.isPreVote, message.isTransfer], numbers: [message.lastIndex, message.lastTerm] };
    case "vote-reply":
      return { flags: [message.isPreVote, message.isGranted] };
    case "append":
      return { numbers: [message.prevIndex, message.prevTerm, message.commit], entries: message.entries };
    case "append-reply": {
      const { isAccepted, isRecovering, index, hintIndex, hintTerm } = message;
      return { flags: [isAccepted, isRecovering], numbers: [index, hintIndex, hintTerm] };
    }
    case "heartbeat":
      return { numbers: [message.commit, message.round] };
    case "heartbeat-reply":
      return { numbers: [message.round] };
    case "timeout-now":
      return {};
    case "read-index":
      return { numbers: [message.ticket] };
    case "read-index-reply":
      return { flags: [message.index !== undefined], numbers: [message.ticket, message.index ?? 0] };
  }
}

interface Parts {
  readonly term: RaftMessage["term"];
  readonly flag: (i: number) => boolean;
  readonly number: (i: number) => number;
}

function messageOf(kind: Exclude<Kind, "append">, { term: inTerm, flag, number }: Parts): RaftMessage {
  const index = (i: number): LogIndex => logIndex(number(i));
  switch (kind) {
    case "vote": {
      const log = { lastIndex: index(0), lastTerm: term(number(1)) };
      return { kind, term: inTerm, ...log, isPreVote: flag(0), isTransfer: flag(1) };
    }
    case "vote-reply":
      return { kind, term: inTerm, isPreVote: flag(0), isGranted: flag(1) };
    case "append-reply": {
      const hint = { hintIndex: index(1), hintTerm: term(number(2)) };
      return { kind, term: inTerm, isAccepted: flag(0), index: index(0), ...hint, isRecovering: flag(1) };
    }
    case "heartbeat":
      return { kind, term: inTerm, commit: index(0), round: number(1) };
    case "heartbeat-reply":
      return { kind, term: inTerm, round: number(0) };
    case "timeout-now":
      return { kind, term: inTerm };
    case "read-index":
      return { kind, term: inTerm, ticket: number(0) };
    case "read-index-reply":
      return { kind, term: inTerm, ticket: number(0), index: flag(0) ? index(1) : undefined };
  }
}
