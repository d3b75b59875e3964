/**
 * Reads the output of workloads: from the agent's own folder, or back from the user's
 * files. A user's file is only read when it is a regular file of that user and its last
 * component is no link: the agent may be root, and the path is the user's to choose.
 */
import { watch } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { constants, open } from "node:fs/promises";
import { millis } from "../../../base/brand.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import type { LogPiece, LogRequest, LogStreamName } from "../../../ports/agent-link.ts";
import type { OutputRecord, WorkloadFolder } from "./workload-folder.ts";

const PIECE_BYTES = 64 * 1024;
/** The longest that a change of a followed file may go unnoticed. */
const POLL_MS = 500;
const LINE_FEED = 10;

/** Which output to read, and where it may be. */
export interface ReadLogsOptions {
  readonly request: LogRequest;
  readonly signal: AbortSignal;
  /** Where the workload's folder is, and where it goes when the workload is released. */
  readonly folders: readonly WorkloadFolder[];
  /** Undefined for a workload that was released: its record is in the folder. */
  readonly output: OutputRecord | undefined;
  readonly isEnded: () => boolean;
}

/** One stream on its way out. */
interface Cursor {
  readonly stream: LogStreamName;
  /** Tried in order. */
  readonly paths: readonly string[];
  /** Owner that the file must have; undefined for the agent's own. */
  readonly uid: number | undefined;
  /** Undefined until the file is there and a first position is known. */
  position: number | undefined;
}

/** Yields output. @throws LOGS_NOT_AVAILABLE when there is none of this workload on the node, or it may not be read. */
export async function* readLogs(options: ReadLogsOptions): AsyncGenerator<LogPiece> {
  const { request, signal, folders, isEnded } = options;
  const output = options.output ?? (await folders.at(-1)?.readOutput());
  if (output === undefined) throw unavailable(`this node has no output of ${request.allocation}`);
  const cursors = request.streams.flatMap((stream) => cursorOf(stream, output, folders) ?? []);
  for (;;) {
    // Asked before reading, so that what was written before the end is not missed.
    const isLast = !request.isFollowing || isEnded();
    for (const cursor of cursors) yield* readOn(cursor, request);
    if (isLast || signal.aborted) return;
    await untilChange(
      cursors.flatMap((cursor) => cursor.paths),
      signal,
    );
    if (signal.aborted) return;
  }
}

function cursorOf(stream: LogStreamName, output: OutputRecord, folders: readonly WorkloadFolder[]): Cursor | undefined {
  if (stream === "stderr" && output.isJoined) return undefined;
  const path = stream === "stdout" ? output.stdoutPath : output.stderrPath;
  if (path === undefined) {
    return { stream, paths: folders.map((folder) => folder.file(stream)), uid: undefined, position: undefined };
  }
  return { stream, paths: [path], uid: output.uid, position: undefined };
}

async function* readOn(cursor: Cursor, request: LogRequest): AsyncGenerator<LogPiece> {
  const file = await openSafely(cursor);
  if (file === undefined) return;
  try {
    cursor.position ??= await firstPosition(file, request);
    const end = request.length > 0 ? request.offset + request.length : Number.POSITIVE_INFINITY;
    while (cursor.position < end) {
      const buffer = new Uint8Array(Math.min(PIECE_BYTES, end - cursor.position));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, cursor.position);
      if (bytesRead === 0) return;
      const data = buffer.subarray(0, bytesRead);
      const piece = { stream: cursor.stream, offset: cursor.position, data, at: millis(Date.now()) };
      cursor.position += bytesRead;
      yield piece;
    }
  } finally {
    await file.close();
  }
}

/** Opens the first file that is there; undefined when none is. */
async function openSafely({ paths, uid }: Cursor): Promise<FileHandle | undefined> {
  for (const path of paths) {
    const file = await openUnfollowed(path);
    if (file === undefined) continue;
    const facts = await file.stat();
    if (uid === undefined || (facts.isFile() && facts.uid === uid)) return file;
    await file.close();
    const what = facts.isFile() ? "does not belong to the user of the allocation" : "is no regular file";
    throw unavailable(`${path} ${what}, so it is not read`);
  }
  return undefined;
}

/** Opens without following a final link and without waiting for a FIFO. */
async function openUnfollowed(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    if (hasCode(error, "ELOOP")) throw unavailable(`${path} is a symbolic link, which is not followed`);
    throw unavailable(`${path} cannot be read by the agent`);
  }
}

async function firstPosition(file: FileHandle, { offset, tailLines }: LogRequest): Promise<number> {
  return tailLines > 0 ? Math.max(offset, await tailPosition(file, tailLines)) : offset;
}

/** Returns where the last `lines` lines begin, looking from the end backwards. */
async function tailPosition(file: FileHandle, lines: number): Promise<number> {
  const { size } = await file.stat();
  // The line feed that ends the last line begins no other.
  let wanted = lines + 1;
  for (let end = size; end > 0; end -= PIECE_BYTES) {
    const start = Math.max(0, end - PIECE_BYTES);
    const buffer = new Uint8Array(end - start);
    await file.read(buffer, 0, buffer.length, start);
    if (end === size && buffer.at(-1) !== LINE_FEED) wanted -= 1;
    for (let i = buffer.length - 1; i >= 0; i--) {
      if (buffer[i] === LINE_FEED && --wanted === 0) return start + i + 1;
    }
  }
  return 0;
}

function untilChange(paths: readonly string[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const watchers = paths.flatMap((path) => {
      try {
        return [watch(path, () => finish())];
      } catch {
        return [];
      }
    });
    const timer = setTimeout(() => finish(), POLL_MS);
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      for (const watcher of watchers) watcher.close();
      resolve();
    };
    signal.addEventListener("abort", finish);
    if (signal.aborted) finish();
  });
}

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && "code" in error && error.code === code;

const unavailable = (message: string) => new LatticeError(fault("LOGS_NOT_AVAILABLE", message));
