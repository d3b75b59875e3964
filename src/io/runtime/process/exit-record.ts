/**
 * What the supervisor wrote, read as an exit. Up to 128 the status is the exit code. Above
 * it, the supervising shell's message tells a signal from a code; for SIGINT and SIGPIPE,
 * where shells give no message, the shell's convention (128 + signal) decides.
 */
import type { WorkloadExit } from "../../../core/domain/workload.ts";

const SILENT_SIGNALS: readonly number[] = [2, 13];
/** Status of a launch that gave a reason. */
const LAUNCH_FAILED = 125;

/** Reads the supervisor's files. */
export function parseExit(files: {
  readonly status: string;
  readonly verdict: string;
  readonly launchError: string;
}): WorkloadExit | undefined {
  const status = Number.parseInt(files.status, 10);
  if (!Number.isInteger(status)) return undefined;
  const launchError = files.launchError.trim();
  if (status === LAUNCH_FAILED && launchError !== "") return { cause: "start_failed", detail: launchError };
  const signal = status - 128;
  const isSignal = signal > 0 && signal <= 64 && (files.verdict.trim() !== "" || SILENT_SIGNALS.includes(signal));
  return isSignal ? { signal, cause: "exited" } : { exitCode: status, cause: "exited" };
}
