/** How many streams of output one user holds at a time, at this server. */
import { principalKey } from "../../../core/access/rate-limit.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import type { Call } from "../call.ts";
import type { Server } from "../server.ts";

const HELD = new WeakMap<object, Map<string, number>>();
/** A stream ends when it ends: this is only how soon to look again. */
const RETRY_AFTER_MS = 1_000;

/** Counts a stream in; the caller calls what is returned when it has ended. @throws RATE_LIMITED. */
export function holdLogReader(server: Pick<Server, "settings">, { principal, signal }: Call): () => void {
  const most = server.settings.logStreamsMax ?? Number.POSITIVE_INFINITY;
  const held = HELD.get(server) ?? new Map<string, number>();
  HELD.set(server, held);
  const key = principalKey(principal);
  const count = held.get(key) ?? 0;
  if (count >= most && principal.role !== "SystemAdmin") {
    const message = `${principal.user} reads ${count} outputs at a time, which is the most`;
    const next = "end one of them, or ask for a larger rate_limit.stream_logs_max_concurrent";
    throw new LatticeError({ ...fault("RATE_LIMITED", message, next), retryAfterMs: RETRY_AFTER_MS });
  }
  held.set(key, count + 1);
  let isOver = false;
  const release = (): void => {
    if (isOver) return;
    isOver = true;
    const left = (held.get(key) ?? 1) - 1;
    if (left === 0) held.delete(key);
    else held.set(key, left);
  };
  // A generator that is blocked at a yield may never run its finally block: the signal always comes.
  signal.addEventListener("abort", release, { once: true });
  return release;
}
