/** The BlobStore port over a folder. */
import { constants, copyFile, lstat, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { BlobEntry, BlobStore } from "../../ports/blob-store.ts";
import { backupError } from "./backup-error.ts";

/** Returns the store over `folder`, which is made at the first write. */
export function openDirectoryStore(folder: string): BlobStore {
  return {
    location: folder,
    list: () => attempt(`read the folder ${folder}`, () => listFolder(folder)),
    put: (name, source) => attempt(`write ${join(folder, name)}`, () => putFile(folder, name, source)),
    fetch: (name) => attempt(`read ${join(folder, name)}`, () => plainFile(join(folder, name))),
    remove: (name) => attempt(`remove ${join(folder, name)}`, () => rm(join(folder, name), { force: true })),
  };
}

async function attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw backupError(what, error);
  }
}

async function listFolder(folder: string): Promise<readonly BlobEntry[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const files = await Promise.all(names.map(async (name) => ({ name, facts: await lstat(join(folder, name)) })));
  return files.filter(({ facts }) => facts.isFile()).map(({ name, facts }) => ({ name, bytes: facts.size }));
}

/** Under another name until it is whole and on stable storage. */
async function putFile(folder: string, name: string, source: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o750 });
  const target = join(folder, name);
  if (await lstat(target).catch(() => undefined)) {
    throw new LatticeError(fault("ALREADY_EXISTS", `${target} exists`, "give the backup another name"));
  }
  const draft = join(folder, `.${name}.partial`);
  try {
    await copyFile(source, draft, constants.COPYFILE_FICLONE);
    await sync(draft);
    await rename(draft, target);
    await sync(folder);
  } finally {
    await rm(draft, { force: true });
  }
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, "r");
  await handle.sync().finally(() => handle.close());
}

/** A link could lead out of the folder. */
async function plainFile(path: string): Promise<string> {
  const facts = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (facts === undefined) throw new LatticeError(fault("BACKUP_NOT_FOUND", `there is no ${path}`));
  if (!facts.isFile()) throw new LatticeError(fault("BACKUP_NOT_FOUND", `${path} is not a plain file`));
  return path;
}
