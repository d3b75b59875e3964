/** Messages on their way to one stream: pushed by the loop, pulled by the transport. */

/** A queue that is read as an async iterable, once. */
export class Outbox<T> implements AsyncIterable<T> {
  #waiting: T[] = [];
  #wake: () => void = () => {};
  #isClosed = false;

  get length(): number {
    return this.#waiting.length;
  }

  push(message: T): void {
    if (this.#isClosed) return;
    this.#waiting.push(message);
    this.#wake();
  }

  /** Ends the stream after what was pushed. */
  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      const batch = this.#waiting;
      this.#waiting = [];
      yield* batch;
      if (this.#waiting.length > 0) continue;
      if (this.#isClosed) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
