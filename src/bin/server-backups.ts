/** From the configuration to backups: where they are, a staged restore put in place, and `lattice-server restore`. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { ServerConfig } from "../config/server-config.ts";
import type { BackupPlaces } from "../io/backup/backup-worker-messages.ts";
import { finishRestore, restoreOffline } from "../io/backup/restore-stage.ts";
import { openWorkerBackups } from "../io/backup/worker-backups.ts";
import { systemClock, systemEntropy } from "../io/system-clock.ts";
import type { Backups } from "../ports/backups.ts";
import type { Logger } from "../ports/log.ts";
import type { PeerAddress } from "../ports/peer-link.ts";

/** The backups of this server, and how fresh keys of the bucket come into use. */
export interface ServerBackups {
  readonly backups: Backups;
  readonly useSecrets: (config: ServerConfig) => void;
}

/** Returns the backups of this server. */
export function backupsOf(config: ServerConfig): ServerBackups {
  const places = placesOf(config);
  let { s3 } = places;
  const url = new URL("./workers/backup-worker.ts", import.meta.url).href;
  const live: BackupPlaces = {
    ...places,
    get s3() {
      return s3;
    },
  };
  return {
    backups: openWorkerBackups(url, live),
    useSecrets({ backup }) {
      const { accessKeyId, secretAccessKey } = backup.s3;
      s3 = s3Of({
        ...config.backup.s3,
        ...(accessKeyId && { accessKeyId }),
        ...(secretAccessKey && { secretAccessKey }),
      });
    },
  };
}

/** Puts a restore in place that an earlier run of this server has staged. Nothing may be open yet. */
export function takeStagedRestore({ quorum }: ServerConfig, log: Logger): void {
  const finished = finishRestore(quorum.dataDir, systemClock.now());
  if (finished) log.warn("the staged restore is in place", { dataDir: quorum.dataDir, ...finished });
}

/** Makes the data directory of a stopped server from a backup file and returns what to tell the operator. */
export async function restoreFrom(file: string, { quorum }: ServerConfig): Promise<string> {
  const { dataDir, nodeId } = quorum;
  const members = membersOf(quorum);
  const now = systemClock.now();
  const context = { clusterId: systemEntropy.uuid(), seconds: now / 1000 };
  const { manifest, replaced } = await restoreOffline(
    { file: resolve(file), dataDir, memberId: nodeId, members, ...context },
    now,
  );
  const lines = [
    `restored ${file} into ${dataDir}`,
    `  made ${new Date(manifest.createdAt).toISOString()} at index ${manifest.index} of cluster ${manifest.clusterId}`,
    `  member ${nodeId} of a new group of servers, ${context.clusterId}`,
    ...(replaced !== undefined && existsSync(replaced) ? [`  what was there is in ${replaced}`] : []),
    "start lattice-server without --bootstrap",
  ];
  return `${lines.join("\n")}\n`;
}

/** Returns every configured member, this one first. */
export const membersOf = (quorum: ServerConfig["quorum"]): readonly PeerAddress[] => [
  { id: quorum.nodeId, address: quorum.advertiseAddress },
  ...quorum.peers,
];

/** Returns where the backup Worker finds things. */
export const placesOf = ({ quorum, backup }: ServerConfig): BackupPlaces => ({
  dataDir: quorum.dataDir,
  memberId: quorum.nodeId,
  members: membersOf(quorum),
  location: backup.location,
  s3: s3Of(backup.s3),
});

const s3Of = ({ accessKeyId, secretAccessKey, ...s3 }: ServerConfig["backup"]["s3"]): BackupPlaces["s3"] => ({
  ...s3,
  ...(accessKeyId && { accessKeyId: accessKeyId.reveal() }),
  ...(secretAccessKey && { secretAccessKey: secretAccessKey.reveal() }),
});
