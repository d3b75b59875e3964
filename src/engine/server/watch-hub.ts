/**
 * Hands events to watchers. Each watcher has a bounded queue: one that reads too slowly
 * is cut off and told so, and so cannot make the server hold its backlog.
 */
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { StateEvent } from "../../core/state/events.ts";

const QUEUE_MAX = 10_000;

interface Watcher {
  readonly wants: (event: StateEvent) => boolean;
  readonly queue: StateEvent[];
  wake: (() => void) | undefined;
  isTooSlow: boolean;
}

export class WatchHub {
  readonly #watchers = new Set<Watcher>();

  get size(): number {
    return this.#watchers.size;
  }

  /** Queues events for those who want them. */
  publish(events: readonly StateEvent[]): void {
    for (const watcher of this.#watchers) {
      const wanted = events.filter(watcher.wants);
      if (wanted.length === 0) continue;
      if (watcher.queue.length + wanted.length > QUEUE_MAX) watcher.isTooSlow = true;
      else watcher.queue.push(...wanted);
      watcher.wake?.();
    }
  }

  /**
   * Yields the events that `wants` accepts from the moment of the call, until `signal` aborts.
   * @throws OVERLOADED when the reader falls too far behind.
   */
  watch(wants: (event: StateEvent) => boolean, signal: AbortSignal): AsyncIterable<StateEvent> {
    const watcher: Watcher = { wants, queue: [], wake: undefined, isTooSlow: false };
    this.#watchers.add(watcher);
    const stop = () => {
      this.#watchers.delete(watcher);
      watcher.wake?.();
    };
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    return this.#read(watcher, signal);
  }

  async *#read(watcher: Watcher, signal: AbortSignal): AsyncIterable<StateEvent> {
    try {
      while (!signal.aborted) {
        const event = watcher.queue.shift();
        if (event) {
          yield event;
        } else if (watcher.isTooSlow) {
          throw new LatticeError(fault("OVERLOADED", "the watch fell too far behind", "watch again, and list once"));
        } else {
          await new Promise<void>((resolve) => {
            watcher.wake = resolve;
          });
          watcher.wake = undefined;
        }
      }
    } finally {
      this.#watchers.delete(watcher);
    }
  }
}
