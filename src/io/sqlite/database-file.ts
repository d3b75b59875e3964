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

/** Makes a file in WAL mode at `path`, which must not exist; `build` makes its tables. */
export function createDatabaseFile(path: string, format: FileFormat, build: (db: Database) => void): void {
  // Under another name until it is whole: a crash in between leaves no half-made file.
  const draft = `${path}.new`;
  try {
    for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(draft + suffix, { force: true });
    const db = new Database(draft, { create: true, readwrite: true });
    try {
      db.run("PRAGMA journal_mode = WAL");
      db.run("PRAGMA synchronous = FULL");
      db.run(`PRAGMA application_id = ${format.applicationId}`);
      db.run(`PRAGMA user_version = ${format.version}`);
      db.transaction(build)(db);
    } finally {
      db.close();
    }
    renameSync(draft, path);
    syncDir(dirname(path));
  } catch (error) {
    throw sqliteError(path, error);
  }
}

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

/** Makes names created or changed in `dir` durable. */
function syncDir(dir: string): void {
  const fd = openSync(dir, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
