/**
 * The archive format, POSIX ustar (IEEE Std 1003.1, "ustar Interchange Format"), as far
 * as a backup needs it: plain files with short names. Any tar program can unpack it.
 */
import type { Result } from "../../base/result.ts";
import { err, ok } from "../../base/result.ts";

/** Headers and contents are padded to this. */
export const TAR_BLOCK = 512;

/** Two blocks of zeros end an archive. */
export const TAR_END: Uint8Array = new Uint8Array(2 * TAR_BLOCK);

/** One file in an archive. */
export interface TarHeader {
  readonly name: string;
  readonly bytes: number;
}

const NAME_LENGTH_MAX = 100;
const CHECKSUM = { at: 148, end: 156 } as const;

/** Returns the header block of a file; `seconds` is its time since 1970. */
export function encodeTarHeader({ name, bytes }: TarHeader, seconds: number): Uint8Array {
  const block = new Uint8Array(TAR_BLOCK);
  const put = (at: number, text: string) => {
    for (let i = 0; i < text.length; i++) block[at + i] = text.charCodeAt(i);
  };
  put(0, name.slice(0, NAME_LENGTH_MAX));
  put(100, "0000640\0");
  put(108, "0000000\0");
  put(116, "0000000\0");
  put(124, `${bytes.toString(8).padStart(11, "0")}\0`);
  put(136, `${Math.max(0, seconds).toString(8).padStart(11, "0")}\0`);
  put(156, "0");
  put(257, "ustar\x0000");
  put(CHECKSUM.at, `${checksum(block).toString(8).padStart(6, "0")}\0 `);
  return block;
}

/** Reads a header block; undefined is the end of the archive. */
export function decodeTarHeader(block: Uint8Array): Result<TarHeader | undefined, string> {
  if (block.every((byte) => byte === 0)) return ok(undefined);
  const text = (at: number, end: number) => String.fromCharCode(...block.subarray(at, end)).replace(/\0.*$/s, "");
  if (Number.parseInt(text(CHECKSUM.at, CHECKSUM.end), 8) !== checksum(block)) {
    return err("the header of a member is damaged");
  }
  const [name, bytes] = [text(0, NAME_LENGTH_MAX), Number.parseInt(text(124, 136), 8)];
  if (text(156, 157) !== "0" || name === "" || !Number.isSafeInteger(bytes)) {
    return err(`the member ${JSON.stringify(name)} is not a plain file`);
  }
  return ok({ name, bytes });
}

/** Returns how many zeros follow a content of `bytes` bytes. */
export const tarPadding = (bytes: number): number => (TAR_BLOCK - (bytes % TAR_BLOCK)) % TAR_BLOCK;

/** The sum of all bytes, with spaces where the sum itself stands. */
function checksum(block: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < TAR_BLOCK; i++) sum += i >= CHECKSUM.at && i < CHECKSUM.end ? 32 : (block[i] ?? 0);
  return sum;
}
