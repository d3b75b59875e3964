/** Entry of the server: configuration in, parts wired, signals out. */

import { hmacVerifier } from "../api/auth/token-verifier.ts";
import { createApi } from "../api/create-api.ts";
import { formatAddress } from "../config/build-config.ts";
import { renderConfigCheck } from "../config/check.ts";
import { loadConfig, readConfig } from "../config/load.ts";
import type { ServerConfig } from "../config/server-config.ts";
import { parseServerFlags } from "../config/server-flags.ts";
import { VERSION, versionLine } from "../config/version.ts";
import { FAULTS, LatticeError, nextStep } from "../core/domain/errors.ts";
import { startServer } from "../engine/server/create-server.ts";
import { openWorkerConsensus } from "../io/consensus/worker-consensus.ts";
import { listenRest } from "../io/http/rest-listener.ts";
import { listenRpc } from "../io/http/rpc-listener.ts";
import { createJsonLogger } from "../io/json-logger.ts";
import { createLogStore, hasLog } from "../io/sqlite/log-store.ts";
import { openStateMirror } from "../io/sqlite/state-mirror.ts";
import { systemClock, systemEntropy } from "../io/system-clock.ts";
import type { Logger } from "../ports/log.ts";
import { backupsOf, membersOf, restoreFrom, takeStagedRestore } from "./server-backups.ts";
import { settingsOf } from "./server-settings.ts";

/** The longest that a stop waits for requests in flight. */
const DRAIN_MS = 5_000;

async function serve(config: ServerConfig, log: Logger): Promise<void> {
  const { quorum, api } = config;
  takeStagedRestore(config, log);
  bootstrap(quorum, log);
  const member = { dir: quorum.dataDir, memberId: quorum.nodeId, address: formatAddress(api.grpcAddress) };
  const workerUrl = new URL("./workers/raft-worker.ts", import.meta.url).href;
  const consensus = await openWorkerConsensus({ workerUrl, ...member });
  const { clusterId } = consensus;
  const mirror = openStateMirror({ dir: quorum.dataDir, clusterId });
  const ports = { clock: systemClock, entropy: systemEntropy, mirror, consensus, backups: backupsOf(config), log };
  const { server, stop } = startServer({
    ...ports,
    version: VERSION,
    clusterId,
    settings: settingsOf(config),
    onFailed(cause) {
      log.error("this server stops: its storage or state can no longer be trusted", { ...cause });
      process.exit(FAULTS[cause.reason].exit);
    },
  });
  const { auth } = api;
  const verifier = auth.kind === "hmac" && hmacVerifier(auth.secret.reveal(), auth.audience);
  const faces = createApi({ server, auth: verifier ? { verifier } : {}, discovery: api.discovery });
  const rest = listenRest(api.restAddress, faces);
  const rpc = await listenRpc(api.grpcAddress, faces);
  log.info("server started", { version: VERSION, clusterId, rest: rest.port, grpc: rpc.port, dataDir: quorum.dataDir });
  const onSignal = async (signal: NodeJS.Signals) => {
    log.info("the server stops", { signal });
    faces.stop();
    await Promise.all([rest.close(DRAIN_MS), rpc.close(DRAIN_MS)]);
    await stop();
    process.exit(0);
  };
  process.once("SIGTERM", onSignal);
  process.once("SIGINT", onSignal);
}

/** Makes the log of a new cluster, once. */
function bootstrap(quorum: ServerConfig["quorum"], log: Logger): void {
  const { bootstrap: isWanted, dataDir, nodeId } = quorum;
  if (!isWanted) return;
  if (hasLog(dataDir)) log.warn("--bootstrap is ignored: this data directory holds a cluster already", { dataDir });
  else
    createLogStore(dataDir, { memberId: nodeId, clusterId: systemEntropy.uuid(), members: membersOf(quorum) }).close();
}

try {
  const command = parseServerFlags(process.argv.slice(2));
  if (command.kind === "help") {
    process.stdout.write(command.text);
  } else if (command.kind === "version") {
    process.stdout.write(`${versionLine("lattice-server")}\n`);
  } else if (command.kind === "config-check") {
    const { text, isUsable } = renderConfigCheck(readConfig({ path: command.path, env: process.env }));
    process.stdout.write(text);
    if (!isUsable) process.exit(FAULTS.INVALID_CONFIG.exit);
  } else {
    const { config, inactive, warnings } = loadConfig(command.path, process.env, command.overrides);
    const log = createJsonLogger((line) => process.stderr.write(line), config.log.level);
    if (command.kind === "restore") {
      process.stdout.write(await restoreFrom(command.from, config));
      process.exit(0);
    }
    for (const warning of warnings) log.warn(warning);
    if (inactive.length > 0) log.warn("configured but not active in this build", { keys: inactive });
    await serve(config, log);
  }
} catch (error) {
  if (!(error instanceof LatticeError)) throw error;
  process.stderr.write(`lattice-server: ${error.fault.message}\n  ${nextStep(error.fault)}\n`);
  process.exit(FAULTS[error.fault.reason].exit);
}
