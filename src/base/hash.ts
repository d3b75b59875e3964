/**
 * Checksums and record hashes in plain 32-bit integer arithmetic, equal on every host.
 * They find accidents (a flipped bit, two replicas that differ), not attacks.
 */

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

/** Returns the CRC-32 (IEEE 802.3) of `bytes`, continuing from `seed` when given. */
export function crc32(bytes: Uint8Array, seed = 0): number {
  let c = ~seed;
  for (let i = 0; i < bytes.length; i++) c = (CRC_TABLE[(c ^ (bytes[i] ?? 0)) & 0xff] ?? 0) ^ (c >>> 8);
  return ~c >>> 0;
}

/** A 64-bit hash as two unsigned 32-bit halves. */
export interface Hash64 {
  readonly high: number;
  readonly low: number;
}

/** The hash of an empty set. */
export const EMPTY_HASH: Hash64 = { high: 0, low: 0 };

/** Returns a 64-bit hash of `text`, by UTF-16 code unit (two murmur-style lanes). */
export function hashText(text: string): Hash64 {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x85ebca77);
    b = Math.imul(b ^ unit, 0xc2b2ae3d);
    a = (a << 13) | (a >>> 19);
    b = (b << 15) | (b >>> 17);
  }
  a = Math.imul(a ^ (a >>> 16), 0x735a2d97) ^ Math.imul(b ^ (b >>> 13), 0xcaf649a9);
  b = Math.imul(b ^ (b >>> 16), 0x735a2d97) ^ Math.imul(a ^ (a >>> 13), 0xcaf649a9);
  return { high: (a ^ (b >>> 16)) >>> 0, low: (b ^ (a >>> 16)) >>> 0 };
}

/** Adds a member to the hash of a set; the order of additions does not matter. */
export const addHash = (set: Hash64, member: Hash64): Hash64 => ({
  high: (set.high + member.high) >>> 0,
  low: (set.low + member.low) >>> 0,
});

/** Takes a member out of the hash of a set. */
export const subtractHash = (set: Hash64, member: Hash64): Hash64 => ({
  high: (set.high - member.high) >>> 0,
  low: (set.low - member.low) >>> 0,
});

/** Returns the hash as 16 hexadecimal digits. */
export const hashHex = (hash: Hash64): string =>
  hash.high.toString(16).padStart(8, "0") + hash.low.toString(16).padStart(8, "0");
