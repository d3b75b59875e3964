/**
 * SQLite reads a WAL up to the first frame whose checksum is wrong and takes the rest for
 * the torn end of an interrupted write. When the frame was damaged later, acknowledged
 * transactions would vanish without a word. The two cases can be told apart: with
 * synchronous=FULL a transaction's frames are on disk before the next transaction writes
 * its first. So a bad frame followed by a commit frame and one more frame of the same
 * generation cannot be a torn end.
 *
 * File format: sqlite.org/fileformat2.html, section 4.
 */
import { existsSync, readFileSync } from "node:fs";

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const MAGIC = 0x377f0682;

/** Returns what is wrong with the WAL at `path`, or undefined when SQLite will find all that was committed. */
export function findWalDamage(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  const bytes = readFileSync(path);
  if (bytes.length <= HEADER_BYTES) return undefined;
  const wal = new Wal(bytes);
  if (!wal.isHeaderValid()) return "the header of the write-ahead log is damaged";
  const end = wal.findFirstBadFrame();
  const frame = wal.hasCommitBeforeLast(end) ? end : undefined;
  return frame === undefined ? undefined : `frame ${frame + 1} of the write-ahead log is damaged`;
}

type Checksum = readonly [number, number];

class Wal {
  readonly #view: DataView;
  readonly #isLittleEndian: boolean;
  readonly #frameBytes: number;
  readonly #frameCount: number;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    // The magic's last bit says in which order checksums read their words.
    this.#isLittleEndian = this.#view.getUint32(0) === MAGIC;
    this.#frameBytes = FRAME_HEADER_BYTES + this.#view.getUint32(8);
    this.#frameCount = Math.floor((bytes.length - HEADER_BYTES) / this.#frameBytes);
  }

  isHeaderValid(): boolean {
    const [a, b] = this.#sum([0, 0], 0, 24);
    const isMagic = (this.#view.getUint32(0) & ~1) >>> 0 === MAGIC;
    return isMagic && a === this.#view.getUint32(24) && b === this.#view.getUint32(28);
  }

  /** Returns the number of frames that SQLite will believe, from the first on. */
  findFirstBadFrame(): number {
    let sum: Checksum = [this.#view.getUint32(24), this.#view.getUint32(28)];
    for (let frame = 0; frame < this.#frameCount; frame++) {
      const at = this.#offset(frame);
      sum = this.#sum(this.#sum(sum, at, 8), at + FRAME_HEADER_BYTES, this.#frameBytes - FRAME_HEADER_BYTES);
      const isValid = sum[0] === this.#view.getUint32(at + 16) && sum[1] === this.#view.getUint32(at + 20);
      if (!isValid || !this.#isOfThisGeneration(frame)) return frame;
    }
    return this.#frameCount;
  }

  /** Returns whether, from frame `start` on, a transaction ends and another frame follows it. */
  hasCommitBeforeLast(start: number): boolean {
    let hasCommit = false;
    for (let frame = start; frame < this.#frameCount; frame++) {
      if (!this.#isOfThisGeneration(frame)) continue;
      if (hasCommit) return true;
      hasCommit = this.#view.getUint32(this.#offset(frame) + 4) !== 0;
    }
    return false;
  }

  /** Frames left over from before the last checkpoint carry other salts. */
  #isOfThisGeneration(frame: number): boolean {
    const at = this.#offset(frame) + 8;
    return (
      this.#view.getUint32(at) === this.#view.getUint32(16) && this.#view.getUint32(at + 4) === this.#view.getUint32(20)
    );
  }

  #offset(frame: number): number {
    return HEADER_BYTES + frame * this.#frameBytes;
  }

  #sum([a, b]: Checksum, start: number, length: number): Checksum {
    let first = a;
    let second = b;
    for (let at = start; at < start + length; at += 8) {
      first = (first + this.#view.getUint32(at, this.#isLittleEndian) + second) >>> 0;
      second = (second + this.#view.getUint32(at + 4, this.#isLittleEndian) + first) >>> 0;
    }
    return [first, second];
  }
}
