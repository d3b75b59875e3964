/**
 * Runs one server until a signal ends it: puts its data directory in order, opens log and
 * state, starts the loops, then the faces, and stops them in the opposite order.
 */
import { hostname } from "node:os";
import { createApi } from "../api/create-api.ts";
import type { ServerConfig } from "../config/server-config.ts";
import { COMMIT, VERSION } from "../config/version.ts";
import { FAULTS } from "../core/domain/errors.ts";
import type { RunningServer } from "../engine/server/create-server.ts";
import { startServer } from "../engine/server/create-server.ts";
import type { WorkerConsensus } from "../io/consensus/worker-consensus.ts";
import { openWorkerConsensus } from "../io/consensus/worker-consensus.ts";
import { listenRest } from "../io/http/rest-listener.ts";
import { listenRpc } from "../io/http/rpc-listener.ts";
import { openWorkerSnapshots } from "../io/peer/worker-snapshots.ts";
import { finishStagedSnapshot } from "../io/snapshot/staging.ts";
import { openWorkerMirror } from "../io/sqlite/worker-mirror.ts";
import { systemClock, systemEntropy } from "../io/system-clock.ts";
import { serviceManager } from "../io/systemd/service-manager.ts";
import { meterCertificate, meterProcess } from "../io/telemetry/process-metrics.ts";
import { openTelemetry } from "../io/telemetry/prometheus.ts";
import { pushMetrics } from "../io/telemetry/push.ts";
import { queryMetrics } from "../io/telemetry/query-metric.ts";
import type { CertificateKeeper } from "../io/tls/certificate-keeper.ts";
import type { Backups } from "../ports/backups.ts";
import type { CertificateAuthority } from "../ports/certificate-authority.ts";
import type { Logger } from "../ports/log.ts";
import { auditFilesOf, signerOf } from "./server-audit.ts";
import { authOf } from "./server-auth.ts";
import { authorityOf, listenForNodes } from "./server-authority.ts";
import { backupsOf, takeStagedRestore } from "./server-backups.ts";
import { prepareLog } from "./server-log.ts";
import type { Reloading } from "./server-reload.ts";
import { obeyHangUp } from "./server-reload.ts";
import { schedulingOf, settingsOf } from "./server-settings.ts";
import { certificatesOf, peerTlsOf } from "./server-tls.ts";

/** The longest that a stop waits for requests in flight. */
const DRAIN_MS = 5_000;
/** Stalls shorter than this may go unseen. */
const LAG_PERIOD_MS = 20;

/** Starts everything; returns once the server listens. @throws LatticeError when it cannot start. */
export async function runServer(config: ServerConfig, log: Logger, reloading: Reloading): Promise<void> {
  const keeper = certificatesOf(config, log);
  const authority = await authorityOf(config);
  takeStagedRestore(config, log);
  prepareLog(config.quorum, log);
  const finished = finishStagedSnapshot(config.quorum.dataDir);
  if (finished) log.info("the snapshot that had arrived is in place", { index: finished.index });
  const consensus = await openConsensus(config, keeper);
  const isAlive = (withinMs: number): boolean => consensus.isAnswering(withinMs);
  const manager = serviceManager(process.env, { clock: systemClock, log, isAlive });
  const { backups, useSecrets } = backupsOf(config);
  const running = await startLoops(config, log, { consensus, keeper, backups, authority });
  const { api, quorum } = config;
  const auth = authOf(config, log);
  const faces = createApi({
    server: running.server,
    auth: auth.settings,
    discovery: api.discovery,
    limits: config.rateLimit,
  });
  const tls = keeper && { keeper, log };
  // Only node's TLS shows who calls.
  const restAt = { ...api.restAddress, setting: "api.rest_address" };
  const rest = tls ? await listenRpc(restAt, faces, tls) : listenRest(restAt, faces);
  const rpc = await listenRpc({ ...api.grpcAddress, setting: "api.grpc_address" }, faces, tls);
  const joins = await listenForNodes(config, running.server, { keeper, log });
  log.info("server started", { version: VERSION, rest: rest.port, grpc: rpc.port, dataDir: quorum.dataDir });
  const status = `REST on port ${rest.port}, gRPC on port ${rpc.port}`;
  const useScheduling = (changed: ServerConfig): void => running.useScheduling(schedulingOf(changed));
  const refresh = (changed: ServerConfig): void => {
    auth.useSecret(changed);
    useSecrets(changed);
  };
  obeyHangUp(config, log, { ...reloading, useScheduling, useSecrets: refresh, manager, status });
  manager.ready(status);
  const onSignal = async (signal: NodeJS.Signals) => {
    manager.stopping();
    log.info("the server stops", { signal });
    faces.stop();
    await Promise.all([rest.close(DRAIN_MS), rpc.close(DRAIN_MS), joins?.close(DRAIN_MS)]);
    await running.stop();
    process.exit(0);
  };
  process.once("SIGTERM", onSignal);
  process.once("SIGINT", onSignal);
}

const workerUrl = (name: "raft" | "mirror" | "snapshot"): string =>
  new URL(`./workers/${name}-worker.ts`, import.meta.url).href;

async function openConsensus(
  { quorum, log }: ServerConfig,
  keeper: CertificateKeeper | undefined,
): Promise<WorkerConsensus> {
  const tls = peerTlsOf(keeper?.current);
  const consensus = await openWorkerConsensus({
    workerUrl: workerUrl("raft"),
    dir: quorum.dataDir,
    memberId: quorum.nodeId,
    address: quorum.advertiseAddress,
    isAddressChosen: quorum.isAddressChosen,
    peers: quorum.peers,
    listen: quorum.raftListenAddress,
    electionTimeoutMs: quorum.electionTimeoutMs,
    heartbeatIntervalMs: quorum.heartbeatIntervalMs,
    logLevel: log.level,
    ...(tls && { tls }),
  });
  keeper?.onChange((fresh) => {
    const renewed = peerTlsOf(fresh);
    if (renewed) consensus.useCertificates(renewed);
  });
  return consensus;
}

interface LoopParts {
  readonly consensus: WorkerConsensus;
  readonly keeper: CertificateKeeper | undefined;
  readonly backups: Backups;
  readonly authority: CertificateAuthority | undefined;
}

async function startLoops(config: ServerConfig, log: Logger, parts: LoopParts): Promise<RunningServer> {
  const { consensus, keeper, backups, authority } = parts;
  const { quorum, api } = config;
  const { metricsEndpoint, metricsPushMs } = config.telemetry;
  const telemetry = openTelemetry("server");
  meterProcess(telemetry, { version: VERSION, commit: COMMIT, clock: systemClock, lagPeriodMs: LAG_PERIOD_MS });
  meterCertificate(telemetry, () => keeper?.validUntil());
  if (metricsEndpoint !== "") {
    const instance = `${hostname()}:${api.restAddress.port}`;
    const target = { endpoint: metricsEndpoint, periodMs: metricsPushMs, job: "lattice-server", instance };
    pushMetrics({ exposition: telemetry, ...target, clock: systemClock, log });
  }
  return startServer({
    version: VERSION,
    get clusterId() {
      return consensus.clusterId;
    },
    advertise: api.advertiseAddress,
    clock: systemClock,
    entropy: systemEntropy,
    log,
    settings: settingsOf(config),
    telemetry,
    ...(metricsEndpoint !== "" && { serviceMetrics: queryMetrics(metricsEndpoint) }),
    mirror: await openWorkerMirror({
      workerUrl: workerUrl("mirror"),
      dir: quorum.dataDir,
      clusterId: () => consensus.clusterId,
    }),
    snapshots: openWorkerSnapshots({
      workerUrl: workerUrl("snapshot"),
      dataDir: quorum.dataDir,
      identity: () => consensus.identity,
      tls: () => peerTlsOf(keeper?.current),
    }),
    consensus,
    backups,
    ...(authority && { authority }),
    signer: signerOf(config, log),
    auditFiles: auditFilesOf(config),
    onFailed(cause) {
      log.error("this server stops: its storage or state can no longer be trusted", { ...cause });
      process.exit(FAULTS[cause.reason].exit);
    },
  });
}
