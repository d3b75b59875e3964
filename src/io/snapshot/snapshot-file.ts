/**
 * Reads the file of a snapshot and checks all of it: each frame, the whole, that nothing
 * is missing and nothing follows. Rows come out before the end is known, so whoever takes
 * them keeps them apart until the walk is over. Memory holds one group of rows.
 */
import { createHash, type Hash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import type { LatticeError } from "../../core/domain/errors.ts";
import type { Row } from "../../core/state/table.ts";
import { corruptFile, sqliteError } from "../sqlite/sqlite-error.ts";
import type { FrameKind, SnapshotHeader } from "./snapshot-frames.ts";
import { decodeEnd, decodeFrameHeader, decodeRow, FRAME_HEADER_BYTES, SNAPSHOT_FORMAT } from "./snapshot-frames.ts";

/** Larger than any frame: a damaged length must not fill the memory. */
const PAYLOAD_BYTES_MAX = 256 * 1024 * 1024;

/** A snapshot whose header has been read. */
export interface SnapshotFile {
  readonly header: SnapshotHeader;
  /** Walks all rows, once. Throws LatticeError CORRUPT_LOG when the file is not whole and sound. */
  rows(): IterableIterator<Row>;
  close(): void;
}

/** Opens the snapshot at `path`. Throws LatticeError CORRUPT_LOG or INTERNAL. */
export function openSnapshotFile(path: string): SnapshotFile {
  const frames = new FrameReader(path);
  try {
    const header = readHeader(path, frames);
    return { header, rows: () => readRows(path, frames), close: () => frames.close() };
  } catch (error) {
    frames.close();
    throw sqliteError(path, error);
  }
}

function readHeader(path: string, frames: FrameReader): SnapshotHeader {
  const { kind, payload } = frames.next();
  if (kind !== "header") throw damaged(path, "it does not begin as a snapshot does");
  const header: SnapshotHeader = JSON.parse(new TextDecoder().decode(payload));
  if (header.format === SNAPSHOT_FORMAT) return header;
  throw damaged(path, `it has format version ${header.format}; this build reads version ${SNAPSHOT_FORMAT}`);
}

function* readRows(path: string, frames: FrameReader): IterableIterator<Row> {
  try {
    for (let rowCount = 0; ; ) {
      const { kind, payload, before } = frames.next();
      if (kind === "end") {
        const end = decodeEnd(payload);
        if (end?.rowCount !== rowCount || !before.digest().equals(end.sha256)) {
          throw damaged(path, "its rows are not those that were sealed");
        }
        if (!frames.isAtEnd()) throw damaged(path, "something follows its end");
        return;
      }
      if (kind !== "rows") throw damaged(path, `a ${kind} frame is out of place`);
      for (const row of decodeRows(path, payload)) {
        rowCount += 1;
        yield row;
      }
    }
  } catch (error) {
    throw sqliteError(path, error);
  }
}

function* decodeRows(path: string, payload: Uint8Array): IterableIterator<Row> {
  const text = Bun.zstdDecompressSync(payload).toString();
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf("\n", at);
    const row = end < 0 ? undefined : decodeRow(text.slice(at, end));
    if (row === undefined) throw damaged(path, "a line is no row");
    yield row;
    at = end + 1;
  }
}

const damaged = (path: string, why: string): LatticeError => corruptFile(path, `the snapshot cannot be used: ${why}`);

interface ReadFrame {
  readonly kind: FrameKind;
  readonly payload: Uint8Array;
  /** Of all bytes before this frame. */
  readonly before: Hash;
}

/** Walks the frames of a file. */
class FrameReader {
  readonly #fd: number;
  readonly #hash = createHash("sha256");

  constructor(readonly path: string) {
    try {
      this.#fd = openSync(path, "r");
    } catch (error) {
      throw sqliteError(path, error);
    }
  }

  next(): ReadFrame {
    const bytes = this.#take(FRAME_HEADER_BYTES);
    const { kind, length, isIntact } = decodeFrameHeader(bytes);
    if (kind === undefined || length > PAYLOAD_BYTES_MAX) throw damaged(this.path, "a frame is damaged");
    const payload = this.#take(length);
    if (!isIntact(payload)) throw damaged(this.path, "a frame is damaged");
    const before = this.#hash.copy();
    this.#hash.update(bytes).update(payload);
    return { kind, payload, before };
  }

  isAtEnd(): boolean {
    return readSync(this.#fd, new Uint8Array(1)) === 0;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #take(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count; ) {
      const read = readSync(this.#fd, bytes, at, count - at, null);
      if (read === 0) throw damaged(this.path, "it is cut short");
      at += read;
    }
    return bytes;
  }
}
