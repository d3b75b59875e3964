/**
 * What a backup says about itself: the cut of the log it was made at, what it holds, and
 * a checksum of each member. The last member of the archive, because the others are
 * written, and hashed, before it. Pure: bytes, clocks and files are io's.
 */
import type { LogIndex, Millis, Term } from "../../base/brand.ts";
import { canonicalEncode } from "../../base/canonical-encode.ts";
import type { Result } from "../../base/result.ts";
import { err, ok } from "../../base/result.ts";

/** The version of the archive's layout; a backup of another version is refused. */
export const BACKUP_FORMAT = 1;

/** The member that holds the manifest. */
export const MANIFEST_MEMBER = "manifest.json";

/** One file inside the archive. */
export interface BackupMember {
  readonly name: string;
  readonly bytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

/** Everything that a backup says about itself. */
export interface BackupManifest {
  readonly format: number;
  /** The release that wrote it. */
  readonly version: string;
  readonly clusterId: string;
  readonly createdAt: Millis;
  /** The last entry of the log that it reflects. */
  readonly term: Term;
  readonly index: LogIndex;
  readonly stateHash: string;
  readonly restoreEpoch: number;
  /** Records by table, archived ones included. */
  readonly counts: Readonly<Record<string, number>>;
  readonly archivedCount: number;
  readonly members: readonly BackupMember[];
}

/** Returns the text of a manifest. */
export const encodeManifest = (manifest: BackupManifest): string => `${canonicalEncode(manifest)}\n`;

/** Reads a manifest, or says why it is none. */
export function decodeManifest(text: string): Result<BackupManifest, string> {
  let manifest: Partial<BackupManifest>;
  try {
    manifest = JSON.parse(text);
  } catch {
    return err("the manifest is not JSON");
  }
  if (manifest.format !== BACKUP_FORMAT) {
    return err(`the backup has format version ${manifest.format}; this build reads version ${BACKUP_FORMAT}`);
  }
  return isWhole(manifest) ? ok(manifest) : err("the manifest lacks fields");
}

function isWhole(manifest: Partial<BackupManifest>): manifest is BackupManifest {
  const { createdAt, term, index, restoreEpoch, archivedCount, members, counts } = manifest;
  const numbers = [createdAt, term, index, restoreEpoch, archivedCount];
  const texts = [manifest.version, manifest.clusterId, manifest.stateHash];
  return (
    numbers.every((n) => Number.isSafeInteger(n)) &&
    texts.every((t) => typeof t === "string") &&
    Array.isArray(members) &&
    typeof counts === "object"
  );
}

/** Returns how many records of a table a backup holds. */
export const countOf = (manifest: BackupManifest, table: string): number => manifest.counts[table] ?? 0;
