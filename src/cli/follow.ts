/**
 * Following an allocation over time: until its state is as wanted, and its output as it
 * comes. Both outlast a restart of the servers: what was seen is not shown again.
 */
import type { AllocationStatus, LogEntry } from "../client/messages.ts";
import { FAULTS, LatticeError } from "../core/domain/errors.ts";
import type { Context } from "./context.ts";
import { hasEnded } from "./render/allocation-text.ts";

/** How long servers may be away before following gives up. */
const PATIENCE_MS = 60_000;
const LASTED_MS = 5_000;
const RETRY_MS = 1_000;
const POLL_FIRST_MS = 100;
const POLL_MAX_MS = 5_000;

/** Returns the allocation once `isDone` accepts it. Changes arrive by watch; polling is the safety net. */
export async function waitUntil(
  context: Context,
  id: string,
  isDone: (status: AllocationStatus) => boolean,
): Promise<AllocationStatus> {
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  let wake = (): void => {};
  const watching = wakeOnChange(context, { id, signal, wake: () => wake() });
  try {
    for (let pause = POLL_FIRST_MS; ; pause = Math.min(POLL_MAX_MS, pause * 2)) {
      const status = await patiently(context, () =>
        context.client().allocations.get({ allocationId: id }, { signal: context.signal }),
      );
      if (isDone(status)) return status;
      await new Promise<void>((resolve) => {
        wake = resolve;
        sleep(pause, signal).then(resolve);
      });
      if (context.signal.aborted) throw new LatticeError({ reason: "CANCELED", message: "cancelled" });
    }
  } finally {
    stop.abort();
    await watching;
  }
}

/** Which output to follow. */
export interface LogSelection {
  readonly id: string;
  /** 0 both, 1 standard output, 2 standard error. */
  readonly stream: 0 | 1 | 2;
  readonly node: string;
  readonly isFollowing: boolean;
  /** 0 for all. */
  readonly tailLines: number;
  /** 0 for the latest. */
  readonly attempt: number;
}

/** Hands every piece of output to `show`, each once, in the order of its stream. */
export async function readLogs(
  context: Context,
  selection: LogSelection,
  show: (entry: LogEntry) => void,
): Promise<void> {
  const ends = new Map<string, number>();
  const { id, stream, node, isFollowing, attempt } = selection;
  await patiently(context, async () => {
    const tailLines = ends.size === 0 ? selection.tailLines : 0;
    const request = { allocationId: id, stream, nodeId: node, follow: isFollowing, attempt, tailLines };
    for await (const entry of context.client().allocations.streamLogs(request, { signal: context.signal })) {
      const key = `${entry.attempt}/${entry.stream}/${entry.nodeId}`;
      const start = Number(entry.offset);
      const seen = Math.max(0, (ends.get(key) ?? start) - start);
      if (seen < entry.data.length) {
        ends.set(key, start + entry.data.length);
        show(seen === 0 ? entry : { ...entry, data: entry.data.subarray(seen) });
      }
    }
    if (isFollowing && attempt === 0 && !(await isOver(context, id))) throw endedEarly();
  });
}

async function isOver(context: Context, id: string): Promise<boolean> {
  const { state } = await context.client().allocations.get({ allocationId: id }, { signal: context.signal });
  return hasEnded(state);
}

/** Sleeps, or returns early when the signal aborts. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
  });
}

/**
 * Runs `attempt` again while the servers are away, up to a minute at a time; says so. A
 * stream that ended with its token is opened again in silence, with a fresh one.
 */
export async function patiently<T>(context: Context, attempt: () => Promise<T>): Promise<T> {
  let awaySince: number | undefined;
  for (;;) {
    const began = context.now();
    try {
      return await attempt();
    } catch (error) {
      if (hasOutlivedToken(error, context.now() - began, context)) continue;
      const isAway = error instanceof LatticeError && FAULTS[error.fault.reason].rpc === "unavailable";
      if (!isAway || context.signal.aborted) throw error;
      const now = context.now();
      // An attempt that lasted had its server; this is another absence.
      if (now - began > LASTED_MS) awaySince = undefined;
      if (awaySince === undefined) context.terminal.err(`${error.fault.message}; waiting for the servers\n`);
      awaySince ??= now;
      if (now - awaySince > PATIENCE_MS) throw error;
      await sleep(RETRY_MS, context.signal);
    }
  }
}

/** A token that is given stays as it is; a login's is renewed for the next attempt, which fails at once where it cannot be. */
function hasOutlivedToken(error: unknown, lastedMs: number, { settings, signal }: Context): boolean {
  const isExpired = error instanceof LatticeError && error.fault.reason === "TOKEN_EXPIRED";
  return isExpired && settings.token === undefined && lastedMs > RETRY_MS && !signal.aborted;
}

/** Returns the error of a stream that a server ended before its time, as one does that stops. */
export const endedEarly = (): LatticeError =>
  new LatticeError({ reason: "SHUTTING_DOWN", message: "the server ended the stream" });

/** A watch that breaks is opened again; polling covers the gap. */
async function wakeOnChange(
  context: Context,
  watch: { readonly id: string; readonly signal: AbortSignal; readonly wake: () => void },
): Promise<void> {
  const { id, signal, wake } = watch;
  while (!signal.aborted) {
    try {
      for await (const _ of context.client().allocations.watch({ allocationId: id }, { signal })) wake();
    } catch {
      wake();
    }
    await sleep(RETRY_MS, signal);
  }
}
