/**
 * From the configuration to a log on disk, once in the life of a data directory: the first
 * log of a cluster, or one that waits to be filled by the peers. Every later start finds it.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { ServerConfig } from "../config/server-config.ts";
import { finishStagedSnapshot } from "../io/snapshot/staging.ts";
import { createLogStore, createWaitingStore, hasLog, openLogStore } from "../io/sqlite/log-store.ts";
import { systemEntropy } from "../io/system-clock.ts";
import type { Logger } from "../ports/log.ts";
import { membersOf } from "./server-backups.ts";

/** Makes a log where there is none, and finishes what a crash interrupted where there is one. Without peers and --bootstrap there is nothing to make one from: opening it says so. */
export function prepareLog(quorum: ServerConfig["quorum"], log: Logger): void {
  const { dataDir, nodeId, peers, bootstrap } = quorum;
  const isFound = hasLog(dataDir) && !(bootstrap && dropIfWaiting(quorum));
  if (isFound) {
    const finished = finishStagedSnapshot(dataDir);
    if (finished) log.warn("a snapshot that had arrived is put in place", { index: finished.index });
    if (bootstrap) log.warn("--bootstrap is ignored: this data directory holds a member of a cluster", { dataDir });
  } else if (bootstrap) {
    begin(quorum, log);
  } else if (peers.length > 0) {
    createWaitingStore(dataDir, nodeId).close();
    log.info("the data directory is new: this server waits to join its peers", {
      dataDir,
      peers,
      next: "start one of the servers with --bootstrap, once, unless they form a cluster already",
    });
  }
}

function begin(quorum: ServerConfig["quorum"], log: Logger): void {
  const { dataDir, nodeId: memberId } = quorum;
  const members = membersOf(quorum);
  const clusterId = systemEntropy.uuid();
  createLogStore(dataDir, { memberId, clusterId, members }).close();
  log.info("a new cluster begins", { clusterId, dataDir, members });
  if (members.length === 1) return;
  log.warn("--bootstrap begins a new cluster: right only when the peers do not form one already", {
    next: `if they do: stop this server, empty ${dataDir}, and start it without --bootstrap`,
  });
}

/** A log that waits for its peers has promised nothing to anybody: it may make place for the first one of a cluster. */
function dropIfWaiting({ dataDir, nodeId }: ServerConfig["quorum"]): boolean {
  const store = openLogStore(dataDir, nodeId);
  const isWaiting = store.identity.clusterId === "";
  store.close();
  if (!isWaiting) return false;
  for (const name of ["log.db", "state.db"]) {
    for (const suffix of ["", "-wal", "-shm"]) rmSync(join(dataDir, name + suffix), { force: true });
  }
  return true;
}
