/** From the configuration to the numbers that the loops run by. */
import type { ServerConfig } from "../config/server-config.ts";
import type { SchedulingSettings, ServerSettings } from "../engine/server/settings.ts";

/** Ended allocations that stay in memory; what is older is read from disk. */
const ENDED_IN_MEMORY_MAX = 10_000;

/** Returns the settings that may change while the server runs. */
export const schedulingOf = ({ scheduling }: ServerConfig): SchedulingSettings => ({
  cycleIntervalMs: scheduling.cycleIntervalMs,
  policy: scheduling.policy,
  autoscale: scheduling.autoscale,
  usageHalfLifeMs: scheduling.usageHalfLifeMs,
});

/** Returns the settings of the server's loops. */
export const settingsOf = (config: ServerConfig): ServerSettings => {
  const { rateLimit, nodeAgent, quorum, backup, audit, compat } = config;
  return {
    ...nodeAgent,
    ...schedulingOf(config),
    snapshotThreshold: quorum.snapshotThreshold,
    auditArchiveAfterMs: audit.archiveAfterMs,
    backupIntervalMs: backup.intervalMs,
    backupsKept: backup.keep,
    endedInMemoryMax: ENDED_IN_MEMORY_MAX,
    logStreamsMax: rateLimit.logStreamsMax,
    setsSlurmEnv: compat.isSlurmEnvSet,
    accounts: config.api.accounts,
  };
};
