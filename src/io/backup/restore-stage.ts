/**
 * A restore in two steps. Staging builds a complete data directory beside the one in use,
 * `<dir>.restore`, and marks it ready. The next start, which has the data to itself, moves
 * the old directory to `<dir>.replaced-<time>` and the new one into its place: two renames,
 * of which a crash may interrupt any without loss.
 */
import { existsSync, mkdirSync, renameSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Millis } from "../../base/brand.ts";
import { canonicalEncode } from "../../base/canonical-encode.ts";
import { backupName } from "../../core/backup/backup-name.ts";
import type { BackupManifest } from "../../core/backup/manifest.ts";
import type { RestoreContext } from "../../core/backup/restored-meta.ts";
import { restoredMeta } from "../../core/backup/restored-meta.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import { UNJOINED } from "../../core/raft/membership.ts";
import type { SnapshotMeta } from "../../core/raft/raft-types.ts";
import { decodeSnapshot } from "../../core/state/snapshot.ts";
import type { Meta } from "../../core/state/state.ts";
import { META_ID } from "../../core/state/state.ts";
import type { Row } from "../../core/state/table.ts";
import type { PeerAddress } from "../../ports/peer-link.ts";
import { isLogInUse } from "../sqlite/log-lock.ts";
import { createLogStoreAt } from "../sqlite/log-store.ts";
import { openMirrorCut } from "../sqlite/mirror-cut.ts";
import { openMirrorWriter } from "../sqlite/mirror-writer.ts";
import { backupError, backupFailed } from "./backup-error.ts";
import { unpackBackup } from "./unpack.ts";

const READY = "restore-ready";
const ROWS_AT_ONCE = 5_000;
/** Rows with their indexes take up to this times the room of their text. */
const ROOM_FACTOR = 2;
const ROOM_LEAST_BYTES = 16 * 1024 * 1024;

/** What is staged, and whose data it becomes. */
export interface StageRequest extends RestoreContext {
  readonly file: string;
  readonly dataDir: string;
  readonly memberId: number;
  /** Every configured member, this one too: the restored cluster may have another size. */
  readonly members: readonly PeerAddress[];
  /** Of the new log: the restored servers are a group of their own, which no old log joins. */
  readonly clusterId: string;
}

/** Checks the backup and builds the data directory that the next start uses. @throws BACKUP_DAMAGED, BACKUP_FAILED. */
export async function stageRestore(request: StageRequest): Promise<BackupManifest> {
  const { file, dataDir } = request;
  const stage = stageOf(dataDir);
  try {
    const checked = await unpackBackup(file);
    if (!checked.isValid) throw damaged(file, checked.problem);
    rmSync(stage, { recursive: true, force: true });
    mkdirSync(stage, { recursive: true, mode: 0o750 });
    checkRoom(checked.manifest, stage);
    const applied = buildLog(stage, request, checked.manifest);
    await buildState(stage, request, applied);
    writeFileSync(join(stage, READY), `${canonicalEncode({ ...checked.manifest, members: [] })}\n`, { flush: true });
    return checked.manifest;
  } catch (error) {
    rmSync(stage, { recursive: true, force: true });
    throw backupError(`unpack the backup into ${stage}`, error);
  }
}

/** Puts a staged restore in place, before anything is opened. Returns where the old data went, or undefined when nothing was staged. */
export function finishRestore(dataDir: string, now: Millis): { readonly replaced: string | undefined } | undefined {
  const stage = stageOf(dataDir);
  if (!existsSync(join(stage, READY))) return undefined;
  if (isLogInUse(dataDir)) throw inUse(dataDir);
  try {
    const replaced = existsSync(dataDir) ? freeName(`${dataDir}.replaced-${stamp(now)}`) : undefined;
    if (replaced !== undefined) renameSync(dataDir, replaced);
    rmSync(join(stage, READY));
    renameSync(stage, dataDir);
    return { replaced };
  } catch (error) {
    throw backupError(`put the restored data from ${stage} into ${dataDir}`, error);
  }
}

/** Restores a backup file where no server runs, and returns what it was and where the old data went. */
export async function restoreOffline(
  request: Omit<StageRequest, "replaced">,
  now: Millis,
): Promise<{ readonly manifest: BackupManifest; readonly replaced: string | undefined }> {
  const { dataDir } = request;
  if (isLogInUse(dataDir)) throw inUse(dataDir);
  const replaced = readMeta(dataDir);
  const manifest = await stageRestore({ ...request, ...(replaced && { replaced }) });
  return { manifest, replaced: finishRestore(dataDir, now)?.replaced };
}

/** Returns the meta row of the data that is replaced, as far as it can still be read. */
function readMeta(dataDir: string): Meta | undefined {
  if (!existsSync(join(dataDir, "state.db"))) return undefined;
  try {
    const cut = openMirrorCut(dataDir);
    try {
      return JSON.parse(cut.find("meta", META_ID) ?? "");
    } finally {
      cut.close();
    }
  } catch {
    // Damaged data is a reason to restore; the time makes the epoch grow all the same.
    return undefined;
  }
}

const inUse = (dataDir: string): LatticeError =>
  backupFailed(`a server runs on ${dataDir}`, "stop it, or restore through it: lattice admin backup restore");

const stageOf = (dataDir: string): string => `${dataDir}.restore`;

const stamp = (now: Millis): string => backupName(now).slice("backup-".length, -".tar.gz".length);

/** Two restores may fall into one second. */
function freeName(path: string): string {
  let name = path;
  for (let i = 2; existsSync(name); i++) name = `${path}-${i}`;
  return name;
}

const damaged = (file: string, problem: string): LatticeError =>
  new LatticeError(fault("BACKUP_DAMAGED", `${file} is damaged: ${problem}`));

function checkRoom({ members }: BackupManifest, folder: string): void {
  const { bavail, bsize } = statfsSync(folder);
  const needed = ROOM_LEAST_BYTES + ROOM_FACTOR * members.reduce((sum, { bytes }) => sum + bytes, 0);
  if (bavail * bsize >= needed) return;
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 1_000_000)} MB`;
  throw backupFailed(
    `the restore may need ${megabytes(needed)} in ${folder}, where ${megabytes(bavail * bsize)} are free`,
    "free disk space",
  );
}

async function buildState(stage: string, context: StageRequest, applied: SnapshotMeta): Promise<void> {
  const writer = openMirrorWriter({ dir: stage, clusterId: context.clusterId });
  try {
    const rows: Row[] = [];
    const flush = () => writer.write(rows.splice(0), applied);
    const { isValid } = await unpackBackup(context.file, (row) => {
      rows.push(row.table === "meta" ? withNewMeta(row, context) : row);
      if (rows.length >= ROWS_AT_ONCE) flush();
    });
    if (!isValid) throw damaged(context.file, "it changed while it was read");
    flush();
    writer.sync();
    checkState(context.file, stage);
  } finally {
    writer.close();
  }
}

const withNewMeta = (row: Row, context: RestoreContext): Row => ({
  ...row,
  text: canonicalEncode(restoredMeta(JSON.parse(row.text ?? ""), context)),
});

function checkState(file: string, stage: string): void {
  const cut = openMirrorCut(stage);
  try {
    const state = decodeSnapshot(cut.liveRows());
    if (!state.ok) throw damaged(file, state.error);
  } finally {
    cut.close();
  }
}

/** Makes a log that begins after the backup, with all configured members as voters. */
function buildLog(stage: string, request: StageRequest, { index, term }: BackupManifest): SnapshotMeta {
  const store = createLogStoreAt(stage, request, { index, term });
  const { memberships } = store.load();
  store.close();
  return { index, term, membership: memberships[0] ?? UNJOINED };
}
