/**
 * Messages on their way to a reader that takes one at a time. The producer never waits;
 * a reader that falls too far behind is given up, since an agent dials again and starts
 * from the present state.
 */
import { fault, LatticeError } from "../../core/domain/errors.ts";

const WAITING_MAX = 10_000;

export class Outbox<T> {
  #waiting: T[] = [];
  #end: { readonly error?: unknown } | undefined;
  #wake: () => void = () => {};

  /** Adds a message; without effect after the end. */
  push(message: T): void {
    if (this.#end) return;
    if (this.#waiting.length >= WAITING_MAX) {
      this.end(new LatticeError(fault("OVERLOADED", `the reader is ${WAITING_MAX} messages behind`)));
      return;
    }
    this.#waiting.push(message);
    this.#wake();
  }

  /** Ends the stream once what waits has been read; with an error, at once. The first end counts. */
  end(error?: unknown): void {
    this.#end ??= error === undefined ? {} : { error };
    this.#wake();
  }

  /** Yields the messages until the end. One reader only. */
  async *read(): AsyncIterable<T> {
    for (;;) {
      if (this.#end?.error !== undefined) throw this.#end.error;
      const batch = this.#waiting;
      this.#waiting = [];
      yield* batch;
      if (this.#waiting.length > 0) continue;
      if (this.#end) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
