/** From the configuration to the numbers that the loops run by. */
import type { ServerConfig } from "../config/server-config.ts";
import { DEFAULT_POLICY } from "../core/scheduler/policy.ts";
import type { ServerSettings } from "../engine/server/settings.ts";

/** Ended allocations that stay in memory; what is older is read from disk. */
const ENDED_IN_MEMORY_MAX = 10_000;

/** Returns the settings of the server's loops. */
export const settingsOf = ({
  rateLimit,
  nodeAgent,
  scheduling,
  quorum,
  backup,
  compat,
}: ServerConfig): ServerSettings => ({
  ...nodeAgent,
  cycleIntervalMs: scheduling.cycleIntervalMs,
  snapshotThreshold: quorum.snapshotThreshold,
  backupIntervalMs: backup.intervalMs,
  backupsKept: backup.keep,
  endedInMemoryMax: ENDED_IN_MEMORY_MAX,
  logStreamsMax: rateLimit.logStreamsMax,
  setsSlurmEnv: compat.isSlurmEnvSet,
  policy: { ...DEFAULT_POLICY, depth: scheduling.backfillDepth },
});
