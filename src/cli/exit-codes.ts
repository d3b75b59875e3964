/** Exit codes of the CLI. Those of faults are in the error table; the rest is here and nowhere else. */
import type { Fault } from "../core/domain/errors.ts";
import { FAULTS } from "../core/domain/errors.ts";

/** The exit codes that no fault gives. */
export const EXIT = {
  ok: 0,
  /** The command line makes no sense. */
  usage: FAULTS.INVALID_FLAGS.exit,
  /** Lattice, and not the work that was waited for, is why there is no exit code of the work. */
  notTheWork: 125,
  /** A signal n ends with this plus n, as a shell has it. */
  signalBase: 128,
  interrupted: 130,
} as const;

/** Returns the exit code of a command that ends with this fault. */
export const exitCodeOf = (fault: Fault): number => FAULTS[fault.reason].exit;

/** Returns what the shell would report for work that ended this way. */
export function exitCodeOfWork(state: string, exitCode: number, signal: number): number {
  if (state === "completed") return EXIT.ok;
  if (signal > 0) return EXIT.signalBase + signal;
  return state === "failed" && exitCode > 0 ? exitCode : EXIT.notTheWork;
}
