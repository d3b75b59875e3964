/** Puts the loops of a server together over its ports; starts and stops them in order. */
import type { Fault } from "../../core/domain/errors.ts";
import { metaOf } from "../../core/state/state.ts";
import type { AuditFiles } from "../../ports/audit-files.ts";
import type { AuditSigner } from "../../ports/audit-signer.ts";
import type { Backups } from "../../ports/backups.ts";
import type { CertificateAuthority } from "../../ports/certificate-authority.ts";
import type { Clock, Entropy } from "../../ports/clock.ts";
import type { Consensus } from "../../ports/consensus.ts";
import type { Logger } from "../../ports/log.ts";
import type { Exposition, Metrics } from "../../ports/metrics.ts";
import { NO_METRICS } from "../../ports/metrics.ts";
import type { ServiceMetrics } from "../../ports/service-metrics.ts";
import type { Snapshots } from "../../ports/snapshots.ts";
import type { StateMirror } from "../../ports/state-mirror.ts";
import { AgentHub } from "./agent-hub.ts";
import { openAudit } from "./audit/open-audit.ts";
import { BackupSchedule } from "./backup-schedule.ts";
import { Housekeeping } from "./housekeeping.ts";
import { PeerBus } from "./peers/peer-bus.ts";
import { answerQuorumQuestions } from "./peers/quorum-questions.ts";
import { Replica, SYSTEM } from "./replica.ts";
import { ScheduleLoop } from "./schedule-loop.ts";
import { AutoscaleLoop } from "./scheduling/autoscale-loop.ts";
import { Rankings } from "./scheduling/rankings.ts";
import type { Server } from "./server.ts";
import { meterServer } from "./server-metrics.ts";
import type { SchedulingSettings, ServerSettings } from "./settings.ts";
import { WaitingReasons } from "./waiting-reasons.ts";
import { WatchHub } from "./watch-hub.ts";

/** What a server is made from. */
export interface ServerParts {
  readonly version: string;
  /** The log's. Read when it is needed: a server that waits to join has none at first, so give a getter. */
  readonly clusterId: string;
  /** HOST:PORT at which agents reach this server's gRPC listener. */
  readonly advertise: string;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Logger;
  readonly settings: ServerSettings;
  readonly mirror: StateMirror;
  readonly snapshots: Snapshots;
  readonly consensus: Consensus;
  readonly backups: Backups;
  /** Signs certificates of agents; absent: nobody does. */
  readonly authority?: CertificateAuthority;
  readonly signer: AuditSigner;
  readonly auditFiles: AuditFiles;
  /** Where figures go; absent: nowhere. */
  readonly telemetry?: Metrics & Exposition;
  /** Where the metrics of services are read; absent: services keep their size. */
  readonly serviceMetrics?: ServiceMetrics;
  /** Called once when this server can no longer be trusted: the process must end. */
  readonly onFailed: (cause: Fault) => void;
}

/** A server whose loops run. */
export interface RunningServer {
  readonly server: Server;
  /** Goes on by these settings, without a restart. */
  useScheduling(settings: SchedulingSettings): void;
  /** Ends the loops, lets another server lead, and writes what is missing on disk. */
  stop(): Promise<void>;
}

/** Loads the state and starts every loop. @throws CORRUPT_LOG when the state cannot be used. */
export function startServer(parts: ServerParts): RunningServer {
  const { version, clock, entropy, log, backups, advertise } = parts;
  const settings = { ...parts.settings };
  const { mirror, snapshots, consensus, onFailed, telemetry } = parts;
  const metrics = telemetry ?? NO_METRICS;
  const proposer = entropy.uuid();
  const { snapshotThreshold } = settings;
  const replica = new Replica({
    ...{ proposer, mirror, snapshots, consensus, clock, log, snapshotThreshold, onFailed },
  });
  const bus = new PeerBus({ replica, clock, log });
  const rankings = new Rankings({ replica, clock, settings });
  const loop = { version, advertise, replica, bus, clock, log, settings, metrics, rankings };
  const audit = openAudit(loop, { process: proposer, signer: parts.signer, auditFiles: parts.auditFiles });
  const agents = new AgentHub(loop, audit.parts.auditor);
  const watches = new WatchHub();
  const scheduler = new ScheduleLoop(loop);
  const housekeeping = new Housekeeping(loop);
  const autoscale = new AutoscaleLoop(loop, parts.serviceMetrics);
  const schedule = new BackupSchedule({ ...loop, backups });
  replica.listen({
    onEvents: (events) => watches.publish(events),
    onReplaced: () => watches.cutOff(),
    onStatus: () => initializeOnce(replica, parts),
  });
  answerQuorumQuestions({ replica, bus });
  if (telemetry) meterServer({ replica, agents, watches, clock, metrics });
  autoscale.begin();
  for (const part of [agents, scheduler, housekeeping, schedule, audit, replica]) part.start();
  return {
    server: {
      ...{ version, clock, entropy, log, settings, backups, replica, bus, agents, watches, metrics },
      ...audit.parts,
      ...{ reasons: new WaitingReasons(loop), measuresServices: parts.serviceMetrics !== undefined },
      ...(telemetry && { exposition: telemetry }),
      ...(parts.authority && { authority: parts.authority }),
    },
    useScheduling(changed) {
      Object.assign(settings, changed);
      scheduler.beginCycles();
      autoscale.begin();
    },
    async stop() {
      audit.stop();
      housekeeping.stop();
      autoscale.stop();
      schedule.stop();
      scheduler.stop();
      agents.stop();
      await replica.close();
    },
  };
}

/** The first leader of a cluster fixes its id, which is the log's; proposing it twice is harmless. */
function initializeOnce(
  replica: Replica,
  { clusterId, log, settings }: Pick<ServerParts, "clusterId" | "log" | "settings">,
) {
  if (!replica.isLeader || metaOf(replica.state).clusterId !== "") return;
  const { usageHalfLifeMs } = settings;
  const body = { kind: "initialize-cluster", clusterId, usageHalfLifeMs } as const;
  replica.propose(body, SYSTEM).catch((error: unknown) => log.warn("the cluster was not initialised", { error }));
}
