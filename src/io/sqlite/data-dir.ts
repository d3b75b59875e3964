/**
 * The directory that holds a server's files (quorum.data_dir). It belongs to one user and
 * one running server; the lock is that of the log file (log-store.ts).
 */
import { mkdirSync, statSync } from "node:fs";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import { sqliteError } from "./sqlite-error.ts";

/** Makes sure that `dir` is a directory in which files of ours have the right owner; makes it when absent. */
export function prepareDataDir(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o750 });
    const self = process.geteuid?.();
    const { uid } = statSync(dir);
    if (self === undefined || self === uid) return;
    throw new LatticeError(
      fault(
        "INTERNAL",
        `${dir} belongs to user ${uid}, not to user ${self}`,
        "run the server as the directory's owner",
      ),
    );
  } catch (error) {
    throw sqliteError(dir, error);
  }
}
