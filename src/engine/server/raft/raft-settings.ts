/** Spans and bounds of a raft driver, with the defaults of the configuration. */
import type { RaftSettings } from "../../../core/raft/node-state.ts";
import { DEFAULT_SETTINGS } from "../../../core/raft/node-state.ts";

/** Longest that a proposal, read or change waits for a leader, in shortest election spans. */
export const PATIENCE_SPANS = 4;
/** Missed ticks that are made up, in shortest election spans: enough for a leader to notice that it may be none. */
export const MISSED_SPANS_MAX = 2;

/** Those of the core, in ticks, and those of the driver. */
export interface RaftDriverSettings extends RaftSettings {
  /** Length of a tick. */
  readonly tickMs: number;
  /** Entries kept for members that lag, beyond what the state on disk already holds. */
  readonly keptEntries: number;
  /** Bytes of entries kept in memory. */
  readonly cacheBytes: number;
}

/** Elections after 0.5 to 1 s of silence, a heartbeat every 0.1 s. */
export const DEFAULT_DRIVER_SETTINGS: RaftDriverSettings = {
  ...DEFAULT_SETTINGS,
  tickMs: 10,
  keptEntries: 10_000,
  cacheBytes: 64 << 20,
};

/** Returns the settings for spans that the configuration names. */
export function raftSettingsOf(spans: {
  readonly electionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
}): RaftDriverSettings {
  const { tickMs } = DEFAULT_DRIVER_SETTINGS;
  const ticks = (ms: number): number => Math.max(1, Math.round(ms / tickMs));
  const [electionTicks, heartbeatTicks] = [ticks(spans.electionTimeoutMs), ticks(spans.heartbeatIntervalMs)];
  return { ...DEFAULT_DRIVER_SETTINGS, electionTicks, heartbeatTicks };
}
