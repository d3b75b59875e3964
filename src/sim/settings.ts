/** Settings of fake servers: small bounds, so that a short run meets what a long life does. */
import { millis } from "../base/brand.ts";
import type { Prng } from "../base/prng.ts";
import { DEFAULT_SCALE_POLICY } from "../core/scheduler/autoscale.ts";
import { DEFAULT_POLICY } from "../core/scheduler/policy.ts";
import { USAGE_HALF_LIFE_MS } from "../core/state/usage.ts";
import type { RaftDriverSettings } from "../engine/server/raft/raft-settings.ts";
import type { ServerSettings } from "../engine/server/settings.ts";
import { happens, wholeWithin } from "./world/chance.ts";

/** Draws the settings of the servers of one run. */
export const drawServerSettings = (random: Prng): ServerSettings => ({
  heartbeatIntervalMs: 1_000,
  heartbeatTimeoutMs: 4_000,
  gracePeriodMs: 6_000,
  sensitiveGracePeriodMs: 12_000,
  cycleIntervalMs: 1_000,
  snapshotThreshold: wholeWithin(random, [5, 100]),
  endedInMemoryMax: wholeWithin(random, [5, 60]),
  backupIntervalMs: 0,
  backupsKept: 3,
  setsSlurmEnv: true,
  policy: {
    ...DEFAULT_POLICY,
    ...(happens(random, 0.7) && {
      preemption: { classDistance: 1, countMax: 3, checkpointMs: millis(wholeWithin(random, [200, 2_500])) },
    }),
  },
  autoscale: { ...DEFAULT_SCALE_POLICY, intervalMs: 60_000 },
  usageHalfLifeMs: USAGE_HALF_LIFE_MS,
});

/** Draws the settings of their drivers. */
export const drawDriverSettings = (random: Prng): Partial<RaftDriverSettings> => ({
  electionTicks: wholeWithin(random, [20, 100]),
  heartbeatTicks: wholeWithin(random, [4, 10]),
  batchMax: happens(random, 0.5) ? wholeWithin(random, [1, 8]) : 4096,
  windowMax: happens(random, 0.5) ? wholeWithin(random, [8, 64]) : 16_384,
  keptEntries: happens(random, 0.5) ? 0 : wholeWithin(random, [1, 40]),
  cacheBytes: happens(random, 0.3) ? wholeWithin(random, [1, 4_000]) : 1 << 20,
});
