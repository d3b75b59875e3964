/** The numbers that the loops of a server run by, from its configuration. */
import type { AccountMap } from "../../core/access/account-map.ts";
import type { ScalePolicy } from "../../core/scheduler/autoscale.ts";
import type { Policy } from "../../core/scheduler/policy.ts";

/** Those that may change while the server runs. */
export type SchedulingSettings = Pick<ServerSettings, "cycleIntervalMs" | "policy" | "autoscale" | "usageHalfLifeMs">;

/** Times in milliseconds, counts in items. */
export interface ServerSettings {
  /** How often agents send heartbeats. */
  readonly heartbeatIntervalMs: number;
  /** Silence after which a node is degraded. */
  readonly heartbeatTimeoutMs: number;
  /** Further silence after which it is down. Also the time after which an isolated agent ends what must not run twice. */
  readonly gracePeriodMs: number;
  /** The same for a node with a sensitive claim. */
  readonly sensitiveGracePeriodMs: number;
  /** Longest pause between two scheduling passes. */
  readonly cycleIntervalMs: number;
  /** Entries of the log between two compactions. */
  readonly snapshotThreshold: number;
  /** Ended allocations kept in memory; older ones are archived. */
  readonly endedInMemoryMax: number;
  /** Between two scheduled backups; 0 makes none. */
  readonly backupIntervalMs: number;
  /** Backups that scheduled ones leave in place. */
  readonly backupsKept: number;
  /** Streams of output that one user may hold at a time; absent: any number. */
  readonly logStreamsMax?: number;
  /** Age at which audit entries move to archives; 0 or absent: never by themselves. */
  readonly auditArchiveAfterMs?: number;
  readonly setsSlurmEnv: boolean;
  /** Accounts of the nodes by user; absent: those of the same names. */
  readonly accounts?: AccountMap;
  readonly policy: Policy;
  /** How often services are measured, and what follows. */
  readonly autoscale: ScalePolicy & { readonly intervalMs: number };
  /** After this time use counts half as much for fair share; the leader has all servers count so. */
  readonly usageHalfLifeMs: number;
}
