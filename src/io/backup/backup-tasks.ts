/** What the backup Worker does for each request: local files by pack and unpack, the place of the backups by a BlobStore. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { millis } from "../../base/brand.ts";
import { compareText } from "../../base/compare.ts";
import { backupName, backupPath, backupTime } from "../../core/backup/backup-name.ts";
import { LatticeError } from "../../core/domain/errors.ts";
import type { BackupFile, BackupInfo, BackupRequest, BackupVerdict, RestoreRequest } from "../../ports/backups.ts";
import type { BlobStore } from "../../ports/blob-store.ts";
import { backupError } from "./backup-error.ts";
import type { BackupPlaces, BackupQuestion, BackupTasks } from "./backup-worker-messages.ts";
import { openDirectoryStore } from "./directory-store.ts";
import { packBackup } from "./pack.ts";
import { stageRestore } from "./restore-stage.ts";
import { unpackBackup } from "./unpack.ts";

/** Does one task. @throws LatticeError. */
export async function doBackupTask(question: BackupQuestion): Promise<unknown> {
  const { places } = question;
  const store = await openStore(places);
  switch (question.task) {
    case "create":
      return create(store, places, question.given);
    case "list":
      return list(store);
    case "verify":
      return verify(store, places, question.given.name);
    case "stage":
      return stage(store, places, question.given);
    case "keep":
      return keep(store, places, question.given);
    case "read":
      return withScratch(places.dataDir, (scratch) => read(store, scratch, question.given.name));
    case "remove":
      for (const name of question.given.names) await store.remove(name);
      return null;
  }
}

/** The S3 client is loaded only where it is used. */
async function openStore({ location, s3 }: BackupPlaces): Promise<BlobStore> {
  if (!location.startsWith("s3://")) return openDirectoryStore(location);
  const { openS3Store } = await import("../s3/s3-store.ts");
  return openS3Store(location, s3);
}

async function create(store: BlobStore, { dataDir }: BackupPlaces, request: BackupRequest): Promise<BackupInfo> {
  const taken = new Set((await store.list()).map((entry) => entry.name));
  let at = request.at;
  while (request.name === undefined && taken.has(backupName(at))) at = millis(at + 1_000);
  const name = request.name ?? backupName(at);
  return withScratch(dataDir, async (scratch) => {
    const path = join(scratch, name);
    const manifest = packBackup({ ...request, dataDir, path, at });
    await store.put(name, path);
    return { path: backupPath(store.location, name), bytes: statSync(path).size, createdAt: at, manifest };
  });
}

async function list(store: BlobStore): Promise<readonly BackupFile[]> {
  const files = (await store.list()).flatMap(({ name, bytes }) => {
    const createdAt = backupTime(name);
    return createdAt === undefined ? [] : [{ path: backupPath(store.location, name), bytes, createdAt }];
  });
  return files.sort((a, b) => compareText(b.path, a.path));
}

function verify(store: BlobStore, { dataDir }: BackupPlaces, name: string): Promise<BackupVerdict> {
  const path = backupPath(store.location, name);
  return withScratch(dataDir, async (scratch) => {
    const file = await store.fetch(name, scratch);
    const unpacked = await unpackBackup(file);
    if (!unpacked.isValid) return { isValid: false, path, problem: unpacked.problem };
    const { manifest } = unpacked;
    const backup = { path, bytes: statSync(file).size, createdAt: manifest.createdAt, manifest };
    return { isValid: true, backup };
  });
}

function stage(store: BlobStore, places: BackupPlaces, request: RestoreRequest): Promise<BackupInfo> {
  const { dataDir, memberId, members } = places;
  const { name, at, clusterId, replaced } = request;
  return withScratch(dataDir, async (scratch) => {
    const file = await store.fetch(name, scratch);
    const manifest = await stageRestore({
      file,
      dataDir,
      memberId,
      members,
      clusterId,
      replaced,
      seconds: at / 1000,
    });
    const path = backupPath(store.location, name);
    return { path, bytes: statSync(file).size, createdAt: manifest.createdAt, manifest };
  });
}

type Text = BackupTasks["keep"]["given"];

function keep(store: BlobStore, { dataDir }: BackupPlaces, { name, text }: Text): Promise<null> {
  return withScratch(dataDir, async (scratch) => {
    const path = join(scratch, `new-${name}`);
    writeFileSync(path, text, { mode: 0o640 });
    try {
      await store.put(name, path);
    } catch (error) {
      const isTaken = error instanceof LatticeError && error.fault.reason === "ALREADY_EXISTS";
      if (!isTaken || (await read(store, scratch, name)).text !== text) throw error;
    }
    return null;
  });
}

async function read(store: BlobStore, scratch: string, name: string): Promise<BackupTasks["read"]["result"]> {
  const bytes = readFileSync(await store.fetch(name, scratch));
  return { text: bytes.toString("utf8"), sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** Runs `work` with a folder of its own beside the data. What an interrupted task has left there goes first. */
async function withScratch<T>(dataDir: string, work: (scratch: string) => Promise<T>): Promise<T> {
  const scratch = `${dataDir}.backup`;
  try {
    rmSync(scratch, { recursive: true, force: true });
    mkdirSync(scratch, { mode: 0o750 });
  } catch (error) {
    throw backupError(`make ${scratch}, where backups are put together`, error);
  }
  try {
    return await work(scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
