/**
 * Frames: how a stream of bytes between two servers is cut into pieces. Pure code. A frame
 * whose checksum does not match, or that is longer than allowed, ends the stream: after it
 * nobody knows where the next one begins. All numbers are big-endian.
 *
 *   frame  length:u32 kind:u8 crc:u32 payload      crc: CRC-32 of length, kind and payload
 */
import { crc32 } from "node:zlib";
import type { Result } from "../../base/result.ts";
import { err, ok } from "../../base/result.ts";

/** In the order of their numbers on the wire, which never changes. */
const KINDS = [
  "hello",
  "admitted",
  "refused",
  "ping",
  "raft",
  "forward",
  "forward-rejected",
  "relay",
  "snapshot-begin",
  "snapshot-chunk",
  "snapshot-end",
  "snapshot-stored",
] as const;

/** What a frame is for. */
export type FrameKind = (typeof KINDS)[number];

/** One frame. */
export interface Frame {
  readonly kind: FrameKind;
  readonly payload: Uint8Array;
}

/** The longest payload: above the largest batch of entries that a driver sends at once. */
export const FRAME_BYTES_MAX: number = 32 * 1024 * 1024;

/** The longest payload of somebody who has not been admitted yet. */
export const INTRODUCTION_BYTES_MAX = 4096;

/** Bytes in front of each payload. */
export const FRAME_HEADER_BYTES = 9;

const CRC_AT = 5;

/** Returns what goes in front of `payload`. */
export function encodeFrameHeader({ kind, payload }: Frame): Uint8Array {
  const header = new Uint8Array(FRAME_HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, payload.length);
  view.setUint8(4, KINDS.indexOf(kind));
  view.setUint32(CRC_AT, checksum(header, payload));
  return header;
}

/** Cuts what arrives, in whatever portions, into frames. */
export class FrameReader {
  /** The longest payload that is let through. */
  payloadBytesMax: number = INTRODUCTION_BYTES_MAX;
  #chunks: Uint8Array[] = [];
  #length = 0;

  /** Bytes that wait for being taken. */
  get length(): number {
    return this.#length;
  }

  /** Adds what arrived. The bytes must not change afterwards. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  /** Returns the next whole frame, or undefined; the error is a sentence that names what is wrong. */
  next(): Result<Frame | undefined, string> {
    if (this.#length < FRAME_HEADER_BYTES) return ok(undefined);
    const header = this.#join(FRAME_HEADER_BYTES);
    const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
    const length = view.getUint32(0);
    if (length > this.payloadBytesMax) {
      return err(`a frame of ${length} bytes is more than the ${this.payloadBytesMax} allowed here`);
    }
    const end = FRAME_HEADER_BYTES + length;
    if (this.#length < end) return ok(undefined);
    const whole = this.#join(end);
    const payload = whole.subarray(FRAME_HEADER_BYTES, end);
    if (view.getUint32(CRC_AT) !== checksum(whole, payload)) {
      return err("a frame is damaged: its checksum does not match");
    }
    const kind = KINDS[view.getUint8(4)];
    if (kind === undefined) return err(`a frame is of an unknown kind (${view.getUint8(4)})`);
    this.#drop(whole, end);
    return ok({ kind, payload });
  }

  /** Returns the first chunk, made to hold at least `bytes`; they must be there. */
  #join(bytes: number): Uint8Array {
    const [first = new Uint8Array()] = this.#chunks;
    if (first.length >= bytes) return first;
    let count = 0;
    for (let sum = 0; sum < bytes; count++) sum += this.#chunks[count]?.length ?? 0;
    const joined = Buffer.concat(this.#chunks.slice(0, count));
    this.#chunks.splice(0, count, joined);
    return joined;
  }

  #drop(first: Uint8Array, bytes: number): void {
    this.#length -= bytes;
    if (first.length === bytes) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(bytes);
  }
}

const checksum = (header: Uint8Array, payload: Uint8Array): number => crc32(payload, crc32(header.subarray(0, CRC_AT)));
