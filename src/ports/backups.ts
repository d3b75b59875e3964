/** Backups as the server's operations see them. Behind it, a Worker reads the state on disk, packs, checks and unpacks. */
import type { Millis } from "../base/brand.ts";
import type { BackupManifest } from "../core/backup/manifest.ts";
import type { Meta } from "../core/state/state.ts";

/** One backup in the configured location. */
export interface BackupFile {
  readonly path: string;
  readonly bytes: number;
  readonly createdAt: Millis;
}

/** What was made or checked. */
export interface BackupInfo extends BackupFile {
  readonly manifest: BackupManifest;
}

/** Whether a backup can be restored. */
export type BackupVerdict =
  | { readonly isValid: true; readonly backup: BackupInfo }
  | { readonly isValid: false; readonly path: string; readonly problem: string };

/** What a backup is made of besides the state on disk. */
export interface BackupRequest {
  /** Its file name; a fresh one from the time when absent. */
  readonly name?: string;
  readonly at: Millis;
  readonly version: string;
}

/** What is restored, and over what. */
export interface RestoreRequest {
  readonly name: string;
  readonly at: Millis;
  /** Of the new log: the restored servers are a group of their own, which no old log joins. */
  readonly clusterId: string;
  readonly replaced: Pick<Meta, "restoreEpoch" | "nextShortId">;
}

export interface Backups {
  /** The folder or s3:// URL of the configuration. */
  readonly location: string;
  /** Makes a backup of the state on disk as it is at one index. @throws BACKUP_FAILED. */
  create(request: BackupRequest): Promise<BackupInfo>;
  /** Returns the backups, newest first. */
  list(): Promise<readonly BackupFile[]>;
  /** Reads a backup from end to end. @throws BACKUP_NOT_FOUND, BACKUP_FAILED. */
  verify(name: string): Promise<BackupVerdict>;
  /** Checks a backup and unpacks it beside the data; the next start puts it in place. @throws BACKUP_DAMAGED. */
  stage(request: RestoreRequest): Promise<BackupInfo>;
  remove(names: readonly string[]): Promise<void>;
}
