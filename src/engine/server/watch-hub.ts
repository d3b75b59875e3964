/**
 * Hands events to watchers. Each watcher has a bounded queue: one that reads too slowly
 * is cut off and told so, and so cannot make the server hold its backlog.
 */
import type { Fault } from "../../core/domain/errors.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { StateEvent } from "../../core/state/events.ts";

const QUEUE_MAX = 10_000;

const TOO_SLOW = fault("OVERLOADED", "the watch fell too far behind", "watch again, and list once");
const SKIPPED = fault("VERSION_CONFLICT", "this server caught up by a snapshot", "watch again, and list once");

interface Watcher {
  readonly wants: (event: StateEvent) => boolean;
  readonly queue: StateEvent[];
  wake: (() => void) | undefined;
  /** Why it is cut off, once it has read what is queued. */
  end: Fault | undefined;
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
      if (watcher.queue.length + wanted.length > QUEUE_MAX) watcher.end = TOO_SLOW;
      else watcher.queue.push(...wanted);
      watcher.wake?.();
    }
  }

  /** Changes were made that no event tells of: every watcher has to look again. */
  cutOff(): void {
    for (const watcher of this.#watchers) {
      watcher.end = SKIPPED;
      watcher.wake?.();
    }
  }

  /**
   * Yields the events that `wants` accepts from the moment of the call, until `signal` aborts.
   * @throws OVERLOADED when the reader falls too far behind, VERSION_CONFLICT when this
   * server skipped changes.
   */
  watch(wants: (event: StateEvent) => boolean, signal: AbortSignal): AsyncIterable<StateEvent> {
    const watcher: Watcher = { wants, queue: [], wake: undefined, end: undefined };
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
        } else if (watcher.end) {
          throw new LatticeError(watcher.end);
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
