/**
 * The seal of an archive: an empty gzip member (RFC 1952) after the others, which carries
 * the SHA-256 of every byte before it in its extra field. Unpacking programs pass it over;
 * a flipped byte anywhere, header and padding included, shows (invariant INV-B2).
 */
import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const HEADER = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 36, 0, 0x4c, 0x42, 32, 0];
const EMPTY_CONTENT = [3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/** Length of a seal. */
export const SEAL_BYTES: number = HEADER.length + 32 + EMPTY_CONTENT.length;

const READ_BYTES = 1 << 20;

/** Returns the seal of an archive whose bytes have this SHA-256. */
export const makeSeal = (sha256: Uint8Array): Uint8Array => Uint8Array.from([...HEADER, ...sha256, ...EMPTY_CONTENT]);

/** Returns what is wrong with the bytes of a sealed file, or undefined. */
export function findBrokenSeal(path: string): string | undefined {
  const fd = openSync(path, "r");
  try {
    const content = fstatSync(fd).size - SEAL_BYTES;
    if (content < 0) return "the file is too short for a backup";
    const hash = createHash("sha256");
    const buffer = Buffer.alloc(READ_BYTES);
    for (let at = 0; at < content; ) {
      const count = readSync(fd, buffer, 0, Math.min(READ_BYTES, content - at), at);
      if (count === 0) return "the file became shorter while it was read";
      hash.update(buffer.subarray(0, count));
      at += count;
    }
    const seal = Buffer.alloc(SEAL_BYTES);
    readSync(fd, seal, 0, SEAL_BYTES, content);
    if (seal.equals(makeSeal(hash.digest()))) return undefined;
    return seal.subarray(0, HEADER.length).equals(Buffer.from(HEADER))
      ? "the checksum at its end is not that of its bytes"
      : "the checksum at its end is missing or damaged: the file may be cut off";
  } finally {
    closeSync(fd);
  }
}
