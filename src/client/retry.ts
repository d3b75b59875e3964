/** Decides from the error table whether and when a failed call is tried again. */
import type { Fault } from "../core/domain/errors.ts";
import { FAULTS } from "../core/domain/errors.ts";

/** What is known when a call has failed. */
export interface Attempt {
  /** Attempts made so far, at least 1. */
  readonly made: number;
  /** Since the call began. */
  readonly elapsedMs: number;
  readonly endpoints: number;
  /** From 0 to 1, for jitter. */
  readonly random: number;
  /** Whether any server has answered: then the service is there, whatever one of them does. */
  readonly hasAnswer: boolean;
}

/** How long a call may take, and how long an unreachable service is worth waiting for. */
export interface RetryBudget {
  readonly timeoutMs: number;
  readonly unreachableMs: number;
}

const BACKOFF_FIRST_MS = 50;
const BACKOFF_MAX_MS = 2_000;

/**
 * Returns the pause before the next attempt in milliseconds, or undefined to give up.
 * Every write carries an idempotency key, so what is repeatable "if idempotent" is repeatable.
 */
export function retryDelay(fault: Fault, attempt: Attempt, budget: RetryBudget): number | undefined {
  const { retry } = FAULTS[fault.reason];
  if (retry === "never") return undefined;
  // Every server gets its first chance at once.
  if (isAboutServer(fault) && attempt.made < attempt.endpoints) return 0;
  const round = Math.floor((attempt.made - 1) / attempt.endpoints);
  const backoff = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(round, 10));
  const delay = fault.retryAfterMs ?? backoff * (0.5 + attempt.random / 2);
  const isAway = fault.reason === "SERVER_UNREACHABLE" && !attempt.hasAnswer;
  const limit = isAway ? Math.min(budget.unreachableMs, budget.timeoutMs) : budget.timeoutMs;
  return attempt.elapsedMs + delay < limit ? delay : undefined;
}

/** Returns whether another server might answer better. */
export const isAboutServer = (fault: Fault): boolean =>
  FAULTS[fault.reason].rpc === "unavailable" || fault.reason === "DEADLINE";
