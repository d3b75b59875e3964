/**
 * Shows that frames come out of a stream as they went in, however it is cut up, and that
 * damage, nonsense and length without end are found before anything is passed on.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Frame, FrameKind } from "../../../../src/io/peer/frames.ts";
import {
  encodeFrameHeader,
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  FrameReader,
  INTRODUCTION_BYTES_MAX,
} from "../../../../src/io/peer/frames.ts";
import { holds } from "../../../fixtures/property-runs.ts";

const KINDS: readonly FrameKind[] = ["hello", "admitted", "ping", "raft", "relay", "snapshot-chunk", "snapshot-stored"];

const bytesOf = (frames: readonly Frame[]): Uint8Array =>
  Buffer.concat(frames.flatMap((frame) => [encodeFrameHeader(frame), frame.payload]));

function readAll(reader: FrameReader): readonly Frame[] | string {
  const frames: Frame[] = [];
  for (;;) {
    const next = reader.next();
    if (!next.ok) return next.error;
    if (next.value === undefined) return frames;
    frames.push(next.value);
  }
}

const plain = (frames: readonly Frame[]): unknown => frames.map(({ kind, payload }) => [kind, [...payload]]);
const aFrame: fc.Arbitrary<Frame> = fc.record({
  kind: fc.constantFrom(...KINDS),
  payload: fc.uint8Array({ maxLength: 60 }),
});

describe("a stream of frames", () => {
  test("gives the frames that went in, wherever it is cut", () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 25 }), { minLength: 1, maxLength: 20 });
    holds(
      fc.property(fc.array(aFrame, { maxLength: 12 }), cuts, (frames, sizes) => {
        const bytes = bytesOf(frames);
        const reader = new FrameReader();
        const read: Frame[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const end = at + (sizes[i % sizes.length] ?? 1);
          reader.push(bytes.slice(at, end));
          at = end;
          const some = readAll(reader);
          expect(some).toBeArray();
          if (typeof some !== "string") read.push(...some);
        }
        expect(plain(read)).toEqual(plain(frames));
        expect(reader.length).toBe(0);
      }),
    );
  });

  test("with any one bit flipped gives only frames that went in before it", () => {
    const frames = fc.array(aFrame, { minLength: 1, maxLength: 5 });
    holds(
      fc.property(frames, fc.nat(), fc.integer({ min: 0, max: 7 }), (sent, place, bit) => {
        const bytes = bytesOf(sent);
        const at = place % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
        const reader = new FrameReader();
        reader.push(bytes);
        const read: Frame[] = [];
        for (let next = reader.next(); next.ok && next.value !== undefined; next = reader.next()) read.push(next.value);
        expect(read.length).toBeLessThan(sent.length);
        expect(plain(read)).toEqual(plain(sent.slice(0, read.length)));
      }),
    );
  });

  test("that is no stream of frames is refused by its first length", () => {
    const reader = new FrameReader();
    reader.push(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    expect(readAll(reader)).toContain("more than the 4096 allowed here");
  });

  test("allows a stranger little and an admitted member much, and nobody more", () => {
    const header = (length: number): Uint8Array => {
      const bytes = new Uint8Array(FRAME_HEADER_BYTES);
      new DataView(bytes.buffer).setUint32(0, length);
      return bytes;
    };
    const reader = new FrameReader();
    reader.push(header(INTRODUCTION_BYTES_MAX + 1));
    expect(readAll(reader)).toContain("more than");
    reader.payloadBytesMax = FRAME_BYTES_MAX;
    expect(readAll(reader)).toEqual([]);
    const other = new FrameReader();
    other.payloadBytesMax = FRAME_BYTES_MAX;
    other.push(header(FRAME_BYTES_MAX + 1));
    expect(readAll(other)).toContain("more than");
  });
});
