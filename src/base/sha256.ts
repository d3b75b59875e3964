/**
 * SHA-256 (FIPS 180-4) of a text's UTF-8 bytes, in plain 32-bit arithmetic: the state machine
 * links audit entries with it and may call nothing outside itself. Slow beside a system's
 * own, and meant for texts of a few kilobytes.
 */

const K = Int32Array.from([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
]);

const START: readonly number[] = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/** Returns the SHA-256 of `text` as 64 hexadecimal digits. */
export function sha256Hex(text: string): string {
  const state = Uint32Array.from(START);
  const blocks = pad(text);
  const w = new Int32Array(64);
  for (let at = 0; at < blocks.length; at += 64) compress(state, w, blocks.subarray(at, at + 64));
  return [...state].map((word) => word.toString(16).padStart(8, "0")).join("");
}

function compress(state: Uint32Array, w: Int32Array, block: Uint8Array): void {
  for (let t = 0, at = 0; t < 16; t++, at += 4) {
    w[t] = (byte(block, at) << 24) | (byte(block, at + 1) << 16) | (byte(block, at + 2) << 8) | byte(block, at + 3);
  }
  for (let t = 16; t < 64; t++) {
    const x = word(w, t - 15);
    const y = word(w, t - 2);
    const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
    const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
    w[t] = (word(w, t - 16) + s0 + word(w, t - 7) + s1) | 0;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let t = 0; t < 64; t++) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + word(K, t) + word(w, t)) | 0;
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    // Not by destructuring: this is where the time goes.
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  const sums = [a, b, c, d, e, f, g, h];
  for (let i = 0; i < 8; i++) state[i] = word(state, i) + (sums[i] ?? 0);
}

const word = (words: Int32Array | Uint32Array, at: number): number => words[at] ?? 0;
const byte = (bytes: Uint8Array, at: number): number => bytes[at] ?? 0;

const rotate = (x: number, by: number): number => (x >>> by) | (x << (32 - by));

/** The text in UTF-8, one bit, zeros, and the length in bits, to whole blocks of 64 bytes. */
function pad(text: string): Uint8Array {
  // No UTF-16 unit takes more than three bytes.
  const room = new Uint8Array((Math.floor((text.length * 3 + 8) / 64) + 1) * 64);
  const length = encodeInto(room, text);
  room[length] = 0x80;
  const blocks = room.subarray(0, (Math.floor((length + 8) / 64) + 1) * 64);
  const view = new DataView(blocks.buffer);
  view.setUint32(blocks.length - 8, Math.floor(length / 0x2000_0000));
  view.setUint32(blocks.length - 4, (length * 8) >>> 0);
  return blocks;
}

function encodeInto(bytes: Uint8Array, text: string): number {
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i);
    if (code < 0x80) {
      bytes[at++] = code;
      continue;
    }
    if (code >= 0xd800 && code <= 0xdfff) {
      code = text.codePointAt(i) ?? 0;
      // Half of a surrogate pair is no character: it counts as the replacement character.
      if (code <= 0xdfff) code = 0xfffd;
      else i++;
    }
    at = putTail(bytes, at, code);
  }
  return at;
}

/** Writes a character of more than one byte, and returns where the next one goes. */
function putTail(bytes: Uint8Array, at: number, code: number): number {
  const count = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  const marks = count === 2 ? 0xc0 : count === 3 ? 0xe0 : 0xf0;
  bytes[at] = marks | (code >> (6 * (count - 1)));
  for (let i = 1; i < count; i++) bytes[at + i] = 0x80 | ((code >> (6 * (count - 1 - i))) & 0x3f);
  return at + count;
}
