/**
 * Virtual time. Everything in a simulation happens in an event of this world; after each
 * the promises that it settled run to their end, so nothing depends on the host's loop.
 * Random numbers come in named streams, so that one more draw here moves nothing there.
 */
import { hashText } from "../../base/hash.ts";
import type { Prng } from "../../base/prng.ts";
import { createPrng } from "../../base/prng.ts";
import type { CancelTimer } from "../../ports/clock.ts";
import { EventQueue } from "./event-queue.ts";
import { Trace } from "./trace.ts";

/** What a world is made from. */
export interface WorldOptions {
  readonly seed: number;
  /** Runs every promise reaction that is due; the host's, for only it can. */
  readonly settle: () => void;
  /** Takes each line of the trace. */
  readonly onLine?: (line: string) => void;
}

/** Virtual time and what will happen in it. */
export class World {
  readonly seed: number;
  readonly trace: Trace;
  readonly #queue = new EventQueue();
  readonly #settle: () => void;
  /** Looked at after each event; one that returns true is done. */
  #watches: (() => boolean)[] = [];
  #now = 0;
  #eventCount = 0;

  constructor({ seed, settle, onLine }: WorldOptions) {
    this.seed = seed;
    this.#settle = settle;
    this.trace = new Trace(onLine);
  }

  /** Milliseconds since the world began. */
  get now(): number {
    return this.#now;
  }

  get eventCount(): number {
    return this.#eventCount;
  }

  /** Returns a stream of random numbers of its own. */
  random(name: string): Prng {
    return createPrng(hashText(`${this.seed}/${name}`).low);
  }

  /** Lets `run` happen at `time`, or now when that has passed. */
  at(time: number, run: () => void): CancelTimer {
    const event = this.#queue.push(Math.max(time, this.#now), run);
    return () => {
      event.isCancelled = true;
    };
  }

  /** Lets `run` happen after `delayMs`. */
  after(delayMs: number, run: () => void): CancelTimer {
    return this.at(this.#now + delayMs, run);
  }

  /** Lets `look` look at the world after each event, until it returns true. */
  watch(look: () => boolean): void {
    this.#watches.push(look);
  }

  /** Writes a line of the trace. */
  log(who: string, what: string, detail = ""): void {
    this.trace.line(this.#now, who, { what, detail });
  }

  /** Lets everything happen up to and at `time`, or until `isDone`. */
  runUntil(time: number, isDone: () => boolean = () => false): void {
    this.#settle();
    while (!isDone()) {
      const next = this.#queue.peek();
      if (next === undefined || next.at > time) {
        this.#now = Math.max(this.#now, time);
        return;
      }
      this.#queue.pop();
      if (next.isCancelled) continue;
      this.#now = next.at;
      this.#eventCount += 1;
      next.run();
      this.#settle();
      if (this.#watches.length > 0) this.#look();
    }
  }

  #look(): void {
    const looking = this.#watches;
    this.#watches = [];
    const waiting = looking.filter((look) => !look());
    this.#watches.push(...waiting);
    if (waiting.length < looking.length) this.#settle();
  }
}
