/** Backups: making, listing, checking and restoring them. A request names one only inside the configured location. */
import { nameInRequest } from "../../../core/backup/backup-name.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import { metaOf } from "../../../core/state/state.ts";
import type { BackupFile, BackupInfo, BackupVerdict } from "../../../ports/backups.ts";
import type { Call } from "../call.ts";
import type { Server } from "../server.ts";
import { demand } from "./access.ts";

/** A server heard from within this time is alive. */
const ALIVE_MS = 10_000;

/** Makes a backup of the state as this server has applied it, under a fresh name unless `path` gives one. */
export async function createBackup(server: Server, call: Call, path: string): Promise<BackupInfo> {
  demand(call, "backup.manage");
  const name = path === "" ? {} : { name: nameOf(server, path) };
  const { replica, clock, version, log } = server;
  // Without a majority a backup of what this server knows is better than none.
  await replica.readBarrier().catch(() => log.warn("the backup may lack the latest: the servers have no leader"));
  // What was acknowledged is in the state on disk, which the backup is made from.
  await replica.flush();
  const backup = await server.backups.create({ ...name, at: clock.now(), version });
  log.info("backup made", { path: backup.path, index: backup.manifest.index, by: call.principal.user });
  return backup;
}

/** Returns the backups, newest first. */
export async function listBackups(server: Server, call: Call): Promise<readonly BackupFile[]> {
  demand(call, "backup.manage");
  return server.backups.list();
}

/** Reads a backup from end to end; the newest when `path` is empty. @throws BACKUP_NOT_FOUND. */
export async function verifyBackup(server: Server, call: Call, path: string): Promise<BackupVerdict> {
  demand(call, "backup.manage");
  return server.backups.verify(nameOf(server, path === "" ? await newestPath(server) : path));
}

/**
 * Checks a backup and unpacks it beside the data of this server, whose next start puts it
 * in place. @throws ILLEGAL_TRANSITION when other servers are alive, unless forced.
 */
export async function stageRestore(
  server: Server,
  call: Call,
  { path, isForced }: { readonly path: string; readonly isForced: boolean },
): Promise<BackupInfo> {
  demand(call, "backup.restore");
  const name = nameOf(server, path);
  const { replica, clock, entropy, log, backups } = server;
  const { self, members } = replica.status;
  const alive = members.filter(
    (member) => member.id !== self && (member.lastContactMs ?? Number.POSITIVE_INFINITY) < ALIVE_MS,
  );
  if (alive.length > 0 && !isForced) {
    const names = alive.map((member) => `${member.id} at ${member.address}`).join(", ");
    const next = "stop them first; force restores over a running quorum, and what it holds is lost";
    throw new LatticeError(fault("ILLEGAL_TRANSITION", `other servers of this cluster are alive: ${names}`, next));
  }
  await server.auditor.recordFirst(call, { operation: "backup.restore", target: { name } }).catch(withOfflineAdvice);
  const { restoreEpoch, nextShortId } = metaOf(replica.state);
  const backup = await backups.stage({
    name,
    at: clock.now(),
    clusterId: entropy.uuid(),
    replaced: { restoreEpoch, nextShortId },
  });
  log.warn("a restore is staged; the next start puts it in place", { path: backup.path, by: call.principal.user });
  return backup;
}

/** Without a quorum nothing can be audited, and so not restored through the API. */
function withOfflineAdvice(error: unknown): never {
  if (!(error instanceof LatticeError) || error.fault.reason !== "NO_QUORUM") throw error;
  const next = "stop the servers and restore on each: lattice-server restore --from FILE";
  throw new LatticeError({ ...error.fault, next }, { cause: error });
}

function nameOf(server: Server, path: string): string {
  const name = nameInRequest(server.backups.location, path);
  if (!name.ok) throw new LatticeError(name.error);
  return name.value;
}

async function newestPath({ backups }: Server): Promise<string> {
  const [newest] = await backups.list();
  if (newest) return newest.path;
  const next = "make one with: lattice admin backup create";
  throw new LatticeError(fault("BACKUP_NOT_FOUND", `there is no backup in ${backups.location}`, next));
}
