/** Things that happen at a time, given back earliest first; those of equal time in the order in which they were put in. */

interface Entry<T> {
  readonly at: number;
  readonly sequence: number;
  readonly item: T;
}

const isBefore = <T>(a: Entry<T>, b: Entry<T>): boolean => a.at < b.at || (a.at === b.at && a.sequence < b.sequence);

/** A binary heap by time. */
export class EventHeap<T> {
  readonly #entries: Entry<T>[] = [];
  #sequence = 0;

  /** The earliest time; infinite when nothing is left. */
  get earliest(): number {
    return this.#entries[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Puts something in. */
  push(at: number, item: T): void {
    const entries = this.#entries;
    const entry = { at, sequence: this.#sequence++, item };
    let hole = entries.length;
    entries.push(entry);
    while (hole > 0) {
      const up = (hole - 1) >> 1;
      const parent = entries[up];
      if (!parent || !isBefore(entry, parent)) break;
      entries[hole] = parent;
      hole = up;
    }
    entries[hole] = entry;
  }

  /** Takes the earliest out. */
  pop(): T | undefined {
    const entries = this.#entries;
    const first = entries[0];
    const last = entries.pop();
    if (!first || !last || entries.length === 0) return first?.item;
    let hole = 0;
    for (;;) {
      let down = 2 * hole + 1;
      let child = entries[down];
      const right = entries[down + 1];
      if (child && right && isBefore(right, child)) {
        child = right;
        down++;
      }
      if (!child || !isBefore(child, last)) break;
      entries[hole] = child;
      hole = down;
    }
    entries[hole] = last;
    return first.item;
  }
}
