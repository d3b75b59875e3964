/**
 * What will happen, ordered by virtual time and, at the same moment, by when it was asked
 * for: so that one seed always gives one order. A binary heap.
 */

/** Something that will happen. */
export interface SimEvent {
  readonly at: number;
  readonly sequence: number;
  readonly run: () => void;
  isCancelled: boolean;
}

/** Gives events in order. */
export class EventQueue {
  readonly #heap: SimEvent[] = [];
  #sequence = 0;

  push(at: number, run: () => void): SimEvent {
    const event = { at, sequence: ++this.#sequence, run, isCancelled: false };
    this.#heap.push(event);
    this.#rise(this.#heap.length - 1);
    return event;
  }

  /** Returns the next event without taking it, or undefined. */
  peek(): SimEvent | undefined {
    return this.#heap[0];
  }

  pop(): SimEvent | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (last !== undefined && last !== first) {
      this.#heap[0] = last;
      this.#sink(0);
    }
    return first;
  }

  #rise(from: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#swapIfEarlier(at, parent)) return;
      at = parent;
    }
  }

  #sink(from: number): void {
    for (let at = from; ; ) {
      const left = 2 * at + 1;
      const right = left + 1;
      const child = this.#isEarlier(right, left) ? right : left;
      if (!this.#swapIfEarlier(child, at)) return;
      at = child;
    }
  }

  #isEarlier(a: number, b: number): boolean {
    const [x, y] = [this.#heap[a], this.#heap[b]];
    if (x === undefined || y === undefined) return false;
    return x.at < y.at || (x.at === y.at && x.sequence < y.sequence);
  }

  #swapIfEarlier(lower: number, upper: number): boolean {
    const [x, y] = [this.#heap[lower], this.#heap[upper]];
    if (x === undefined || y === undefined || !this.#isEarlier(lower, upper)) return false;
    this.#heap[lower] = y;
    this.#heap[upper] = x;
    return true;
  }
}
