/**
 * Streams that outlive the credential that opened them: when it ends, so do they, whatever
 * their producer is waiting for. A caller with a fresh token opens them again.
 *
 * Invariant INV-A2: nothing goes on under a credential that has ended.
 */
import type { Fault } from "../../core/domain/errors.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { Clock } from "../../ports/clock.ts";

/** How a stream ends whose credential has ended. */
export const CREDENTIAL_ENDED: Fault = fault(
  "TOKEN_EXPIRED",
  "the token of this stream has expired",
  "open the stream again with a fresh token",
);

/** The longest delay that timers take. */
const DELAY_MAX_MS = 2 ** 31 - 1;

/** Calls back when the credential ends; returns how to stop waiting for that. */
export function onCredentialEnd(endsAt: number | undefined, clock: Clock, callback: () => void): () => void {
  if (endsAt === undefined) return () => {};
  const delay = endsAt - clock.now();
  return delay > DELAY_MAX_MS ? () => {} : clock.after(Math.max(0, delay), callback);
}

/** Yields `messages` until the credential ends. @throws TOKEN_EXPIRED then, at once. */
export async function* untilCredentialEnds<T>(
  messages: AsyncIterable<T>,
  endsAt: number | undefined,
  clock: Clock,
): AsyncIterable<T> {
  if (endsAt === undefined) return yield* messages;
  const iterator = messages[Symbol.asyncIterator]();
  let isOver = false;
  let stopWaiting: (error: LatticeError) => void = () => {};
  const cancel = onCredentialEnd(endsAt, clock, () => {
    isOver = true;
    stopWaiting(ended());
  });
  try {
    for (;;) {
      if (isOver) throw ended();
      const next = await new Promise<IteratorResult<T>>((resolve, reject) => {
        stopWaiting = reject;
        iterator.next().then(resolve, reject);
      });
      if (next.done) return;
      yield next.value;
    }
  } finally {
    cancel();
    // A producer that waits for something cannot be waited for.
    iterator.return?.().catch(() => {});
  }
}

const ended = (): LatticeError => new LatticeError(CREDENTIAL_ENDED);
