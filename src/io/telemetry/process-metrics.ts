/** What every program tells of itself: its build, its processor time and memory, and how late its loop is. */
import type { Clock } from "../../ports/clock.ts";
import type { Metrics } from "../../ports/metrics.ts";

/** Which build runs, and the clock of its loop. */
export interface ProcessFacts {
  readonly version: string;
  readonly commit: string;
  readonly clock: Clock;
  /** How often it is looked at how late the loop is: a shorter stall may go unseen. */
  readonly lagPeriodMs?: number;
}

/** Has the end of the certificate in use told. */
export function meterCertificate(metrics: Metrics, validUntil: () => number | undefined): void {
  metrics.read("lattice_certificate_end_time_seconds", () => {
    const at = validUntil();
    return at === undefined ? [] : [{ labels: {}, value: at / MILLISECONDS }];
  });
}

const LAG_PERIOD_MS = 500;
const MICROSECONDS = 1e6;
const MILLISECONDS = 1e3;

/** Has the figures of this process told. */
export function meterProcess(
  metrics: Metrics,
  { version, commit, clock, lagPeriodMs = LAG_PERIOD_MS }: ProcessFacts,
): void {
  const startedAt = (clock.now() - clock.monotonic()) / MILLISECONDS;
  metrics.read("lattice_build_info", () => [{ labels: { version, commit }, value: 1 }]);
  metrics.read("process_start_time_seconds", () => [{ labels: {}, value: startedAt }]);
  metrics.read("process_resident_memory_bytes", () => [{ labels: {}, value: process.memoryUsage.rss() }]);
  metrics.read("process_cpu_seconds_total", () => {
    const { user, system } = process.cpuUsage();
    return [{ labels: {}, value: (user + system) / MICROSECONDS }];
  });
  let due = clock.monotonic() + lagPeriodMs;
  let longest = 0;
  metrics.read("lattice_loop_stall_max_seconds", () => [{ labels: {}, value: longest / MILLISECONDS }]);
  clock.every(lagPeriodMs, () => {
    const now = clock.monotonic();
    const late = Math.max(0, now - due);
    longest = Math.max(longest, late);
    metrics.observe("lattice_loop_lag_seconds", {}, late / MILLISECONDS);
    due = now + lagPeriodMs;
  });
}
