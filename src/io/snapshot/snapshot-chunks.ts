/** Writes a snapshot: turns a cut of the state on disk into the bytes of a file, a little at a time. */
import { createHash } from "node:crypto";
import { canonicalEncode } from "../../base/canonical-encode.ts";
import type { Row } from "../../core/state/table.ts";
import type { MirrorCut } from "../sqlite/mirror-cut.ts";
import { encodeEnd, encodeFrame, encodeRow, SNAPSHOT_FORMAT } from "./snapshot-frames.ts";

/** The most bytes that come at once. */
export const CHUNK_BYTES_MAX = 256 * 1024;
/** Rows are compressed in groups of about this size. */
const GROUP_CHARACTERS = 512 * 1024;
/** Fast: the link is rarely slower than the disk that the rows come from. */
const COMPRESSION_LEVEL = 1;

/** Returns the bytes of a snapshot of `cut`, in pieces of at most CHUNK_BYTES_MAX. Throws LatticeError CORRUPT_LOG. */
export function* snapshotChunks(cut: MirrorCut): IterableIterator<Uint8Array> {
  const { clusterId, applied } = cut;
  const hash = createHash("sha256");
  let rowCount = 0;
  const sealed = function* (frame: Uint8Array): IterableIterator<Uint8Array> {
    hash.update(frame);
    yield* pieces(frame);
  };
  const header = canonicalEncode({ format: SNAPSHOT_FORMAT, clusterId, applied });
  yield* sealed(encodeFrame("header", new TextEncoder().encode(header)));
  for (const lines of groups(cut.rows())) {
    rowCount += lines.length;
    yield* sealed(encodeFrame("rows", Bun.zstdCompressSync(lines.join(""), { level: COMPRESSION_LEVEL })));
  }
  yield encodeFrame("end", encodeEnd({ rowCount, sha256: hash.digest() }));
}

function* groups(rows: Iterable<Row>): IterableIterator<readonly string[]> {
  let lines: string[] = [];
  let characters = 0;
  for (const row of rows) {
    const line = encodeRow(row);
    lines.push(line);
    characters += line.length;
    if (characters < GROUP_CHARACTERS) continue;
    yield lines;
    lines = [];
    characters = 0;
  }
  if (lines.length > 0) yield lines;
}

function* pieces(bytes: Uint8Array): IterableIterator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES_MAX) yield bytes.subarray(at, at + CHUNK_BYTES_MAX);
}
