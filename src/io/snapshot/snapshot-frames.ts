/**
 * How the file of a snapshot is laid out: a header, the rows in compressed groups, an end
 * that seals everything. Each frame has its own checksum, so that damage is found where
 * it is; the end has the hash of all bytes before it. Numbers are big-endian.
 *
 *   frame   kind:u8 length:u32 crc:u32 payload        (the CRC-32 covers kind, length and payload)
 *   header  canonical JSON: format, clusterId, applied
 *   rows    zstd of lines: ["table","id",isLive] TAB text
 *   end     rowCount:u64 sha256
 */
import { crc32 } from "../../base/hash.ts";
import type { SnapshotMeta } from "../../core/raft/raft-types.ts";
import type { Row } from "../../core/state/table.ts";

/** The version of the layout; a snapshot of another version is refused. */
export const SNAPSHOT_FORMAT = 1;

/** What a snapshot says of itself. */
export interface SnapshotHeader {
  readonly format: number;
  readonly clusterId: string;
  /** The end of the log that the rows reflect. */
  readonly applied: SnapshotMeta;
}

/** The kinds of frames, in the order in which they come. */
export const FRAME_KINDS = ["header", "rows", "end"] as const;

/** What a frame holds. */
export type FrameKind = (typeof FRAME_KINDS)[number];

/** Bytes in front of a payload. */
export const FRAME_HEADER_BYTES = 9;
const END_BYTES = 40;

/** What a snapshot ends with. */
export interface SnapshotEnd {
  readonly rowCount: number;
  /** Of all bytes before the end. */
  readonly sha256: Uint8Array;
}

/** Returns a frame. */
export function encodeFrame(kind: FrameKind, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
  const view = new DataView(frame.buffer);
  view.setUint8(0, FRAME_KINDS.indexOf(kind));
  view.setUint32(1, payload.length);
  view.setUint32(5, crc32(payload, crc32(frame.subarray(0, 5))));
  frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}

/** Returns what the bytes in front of a payload say. */
export function decodeFrameHeader(header: Uint8Array): {
  readonly kind: FrameKind | undefined;
  readonly length: number;
  isIntact(payload: Uint8Array): boolean;
} {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  return {
    kind: FRAME_KINDS[view.getUint8(0)],
    length: view.getUint32(1),
    isIntact: (payload) => crc32(payload, crc32(header.subarray(0, 5))) === view.getUint32(5),
  };
}

/** Returns the payload of the end. */
export function encodeEnd({ rowCount, sha256 }: SnapshotEnd): Uint8Array {
  const payload = new Uint8Array(END_BYTES);
  new DataView(payload.buffer).setBigUint64(0, BigInt(rowCount));
  payload.set(sha256, 8);
  return payload;
}

/** Reads the payload of the end; undefined when it is none. */
export function decodeEnd(payload: Uint8Array): SnapshotEnd | undefined {
  if (payload.length !== END_BYTES) return undefined;
  const rowCount = Number(new DataView(payload.buffer, payload.byteOffset).getBigUint64(0));
  return { rowCount, sha256: payload.subarray(8) };
}

/** Returns a row as a line. Texts are canonical JSON, which holds neither tabs nor line ends. */
export const encodeRow = ({ table, id, text = "", isLive }: Row): string =>
  `${JSON.stringify([table, id, isLive])}\t${text}\n`;

/** Reads a line; undefined when it is none. */
export function decodeRow(line: string): Row | undefined {
  const tab = line.indexOf("\t");
  if (tab < 0) return undefined;
  const [table, id, isLive] = JSON.parse(line.slice(0, tab));
  return { table, id, isLive, text: line.slice(tab + 1) };
}
