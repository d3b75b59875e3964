/**
 * The one place where what SQLite and the file system throw becomes a fault: damage is
 * CORRUPT_LOG, everything about the machine (rights, space, locks, disk) is INTERNAL.
 */
import { fault, LatticeError } from "../../core/domain/errors.ts";

/** Makes the error of a file that cannot be trusted. */
export const corruptFile = (path: string, defect: string, next?: string): LatticeError =>
  new LatticeError(fault("CORRUPT_LOG", `${path}: ${defect}`, next));

/** Turns an error met while working with the file at `path` into a LatticeError. */
export function sqliteError(path: string, error: unknown): LatticeError {
  if (error instanceof LatticeError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  const internal = (message: string, next?: string): LatticeError =>
    new LatticeError(fault("INTERNAL", message, next), { cause: error });

  if (code === "SQLITE_NOTADB") return corruptFile(path, "this is not an SQLite file");
  if (code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_ERROR") return corruptFile(path, text);
  if (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED")) {
    return internal(`${path} is in use by another process`, "stop the other lattice-server of this data directory");
  }
  if (code === "SQLITE_FULL" || code === "ENOSPC") return internal(`no space left to write ${path}`, "free disk space");
  if (/^(SQLITE_(CANTOPEN|READONLY|PERM|AUTH)|ENOENT|ENOTDIR|EACCES|EPERM|EROFS|EEXIST)/.test(code)) {
    return internal(`cannot read and write ${path} (${code})`, "check quorum.data_dir, its owner and its mode");
  }
  return internal(`the disk fails under ${path}: ${text} (${code || "unknown"})`, "check the disk");
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
