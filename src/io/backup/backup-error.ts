/** The one place where what the file system says about a backup becomes a fault. */
import { fault, LatticeError } from "../../core/domain/errors.ts";

const CAUSES: Readonly<Record<string, string>> = {
  ENOSPC: "no space is left on the device",
  EDQUOT: "the disk quota is used up",
  ENOENT: "it does not exist",
  ENOTDIR: "it is not a folder",
  EACCES: "the server's user may not",
  EPERM: "the server's user may not",
  EROFS: "the file system is read-only",
  EBUSY: "it is a mount point; use a folder below it",
  EXDEV: "the folders are on different file systems",
};

/** Makes the error of a backup or restore that did not work. */
export const backupFailed = (message: string, next?: string): LatticeError =>
  new LatticeError(fault("BACKUP_FAILED", message, next));

/** Turns an error met while doing `what` into a LatticeError. */
export function backupError(what: string, error: unknown): LatticeError {
  if (error instanceof LatticeError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const text = error instanceof Error ? error.message : String(error);
  return new LatticeError(fault("BACKUP_FAILED", `cannot ${what}: ${CAUSES[code] ?? text}`), { cause: error });
}
