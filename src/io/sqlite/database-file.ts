/**
 * What the SQLite files of a data directory have in common: each is marked as ours, says
 * its format version, and appears under its name only once it is whole.
 */
import { Database } from "bun:sqlite";
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { corruptFile, sqliteError } from "./sqlite-error.ts";

/** How a kind of file is recognised. */
export interface FileFormat {
  /** What the file is, for people. */
  readonly noun: string;
  /** In the SQLite header; marks the file as ours. */
  readonly applicationId: number;
  readonly version: number;
}

/** Ids are random: an index that does not fit is read and written over and over. */
const DRAFT_CACHE_KIB = 131_072;

/** Makes a file in WAL mode at `path`, which must not exist; `build` makes what is in it. */
export function createDatabaseFile(path: string, format: FileFormat, build: (db: Database) => void): void {
  buildDraft(path, format, build);
  try {
    renameSync(draftOf(path), path);
    syncDir(dirname(path));
  } catch (error) {
    throw sqliteError(path, error);
  }
}

/** Makes a file beside `path`, whole and on stable storage, that `putDraftInPlace` puts there. */
export function buildDraft(path: string, format: FileFormat, build: (db: Database) => void): void {
  const draft = draftOf(path);
  try {
    discardDraft(path);
    const db = new Database(draft, { create: true, readwrite: true });
    try {
      // What a crash leaves of a draft is thrown away: it needs no journal.
      db.run("PRAGMA journal_mode = OFF");
      db.run("PRAGMA synchronous = OFF");
      db.run(`PRAGMA cache_size = -${DRAFT_CACHE_KIB}`);
      db.run(`PRAGMA application_id = ${format.applicationId}`);
      db.run(`PRAGMA user_version = ${format.version}`);
      db.transaction(build)(db);
      db.run("PRAGMA journal_mode = WAL");
    } finally {
      db.close();
    }
    syncFile(draft);
  } catch (error) {
    throw sqliteError(path, error);
  }
}

/**
 * Puts a draft in the place of `path`, which nobody writes to. A crash in between leaves
 * the old file, possibly without the last transactions: whoever calls can do it again.
 */
export function putDraftInPlace(path: string): void {
  try {
    // A write-ahead log of the old file would be applied to the other one.
    for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true });
    syncDir(dirname(path));
    renameSync(draftOf(path), path);
    syncDir(dirname(path));
  } catch (error) {
    throw sqliteError(path, error);
  }
}

/** Removes a draft, whole or not. */
export function discardDraft(path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(draftOf(path) + suffix, { force: true });
}

/** Under another name until it is whole: a crash in between leaves no half-made file. */
const draftOf = (path: string): string => `${path}.new`;

/** Throws LatticeError CORRUPT_LOG unless the file is of this format. */
export function checkFormat(path: string, db: Database, format: FileFormat): void {
  const { application_id } = db.query<{ application_id: number }, []>("PRAGMA application_id").get() ?? {};
  if (application_id !== format.applicationId)
    throw corruptFile(path, `this is not a ${format.noun} of lattice-server`);
  const { user_version } = db.query<{ user_version: number }, []>("PRAGMA user_version").get() ?? {};
  if (user_version === format.version) return;
  throw corruptFile(
    path,
    `this ${format.noun} has format version ${user_version}; this build reads version ${format.version}`,
    "start the release of lattice-server that wrote it",
  );
}

/** Makes names created, changed or removed in `dir` durable. */
export const syncDir = (dir: string): void => syncFile(dir);

function syncFile(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
