/**
 * Tells a server that takes its time from one that is gone without a word: stopped,
 * frozen, or behind a broken network. Whoever waits in silence asks it now and then
 * whether it is alive.
 */
import { unreachable } from "./faults.ts";

/** How long an answer may take before the server is asked whether it is alive. */
const SILENCE_MS = 1_000;

/** What asking needs of the world. */
export interface LivenessHost {
  readonly sleep: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
  /** Returns whether the server answers anything at all. */
  readonly isAlive: (endpoint: string) => Promise<boolean>;
}

/** Returns what `answer` gives. @throws SERVER_UNREACHABLE when it does not come and its server is not alive. */
export async function whileAlive<T>(answer: Promise<T>, endpoint: string, host: LivenessHost): Promise<T> {
  const settled = new AbortController();
  const silent = (async (): Promise<never> => {
    for (;;) {
      await host.sleep(SILENCE_MS, settled.signal);
      if (!settled.signal.aborted && !(await host.isAlive(endpoint))) throw unreachable(endpoint, "it is silent");
      if (settled.signal.aborted) return new Promise<never>(() => {});
    }
  })();
  // Whichever comes second has nobody to tell.
  answer.catch(() => {});
  silent.catch(() => {});
  try {
    return await Promise.race([answer, silent]);
  } finally {
    settled.abort();
  }
}
