/** What the main thread and the backup Worker say to each other: one request, one reply (io/ask-worker). */
import type { BackupFile, BackupInfo, BackupRequest, BackupVerdict, RestoreRequest } from "../../ports/backups.ts";
import type { PeerAddress } from "../../ports/peer-link.ts";
import type { S3Options } from "../s3/s3-store.ts";

/** Where the data and the backups are. */
export interface BackupPlaces {
  readonly dataDir: string;
  readonly memberId: number;
  /** Every configured member, this one too. */
  readonly members: readonly PeerAddress[];
  /** A folder, or s3://bucket/prefix. */
  readonly location: string;
  readonly s3: S3Options;
}

/** What can be asked, and what it gives. */
export interface BackupTasks {
  readonly create: { readonly given: BackupRequest; readonly result: BackupInfo };
  readonly list: { readonly given: Record<never, never>; readonly result: readonly BackupFile[] };
  readonly verify: { readonly given: { readonly name: string }; readonly result: BackupVerdict };
  readonly stage: { readonly given: RestoreRequest; readonly result: BackupInfo };
  /** Stores a text as a file; one that is there with the same text is no error. */
  readonly keep: { readonly given: { readonly name: string; readonly text: string }; readonly result: null };
  readonly read: {
    readonly given: { readonly name: string };
    readonly result: { readonly text: string; readonly sha256: string };
  };
  readonly remove: { readonly given: { readonly names: readonly string[] }; readonly result: null };
}

/** The name of a task. */
export type BackupTask = keyof BackupTasks;

/** From the main thread. */
export type BackupQuestion = {
  readonly [K in BackupTask]: {
    readonly task: K;
    readonly places: BackupPlaces;
    readonly given: BackupTasks[K]["given"];
  };
}[BackupTask];
