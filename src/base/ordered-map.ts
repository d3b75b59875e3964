/**
 * A map that is walked in ascending order of its numeric keys. Built for queues whose
 * members mostly arrive in order: then every operation is O(1); a late arrival costs
 * one sort at the next walk.
 */
export class OrderedMap<V> {
  #entries = new Map<number, V>();
  #greatest = Number.NEGATIVE_INFINITY;
  #isSorted = true;

  get size(): number {
    return this.#entries.size;
  }

  /** Returns the value at `key`, or undefined. */
  get(key: number): V | undefined {
    return this.#entries.get(key);
  }

  /** Puts `value` at `key`; an existing value is replaced in its place. */
  set(key: number, value: V): void {
    if (!this.#entries.has(key)) {
      if (key < this.#greatest) this.#isSorted = false;
      else this.#greatest = key;
    }
    this.#entries.set(key, value);
  }

  /** Removes `key`; returns whether it was there. */
  delete(key: number): boolean {
    const existed = this.#entries.delete(key);
    if (this.#entries.size === 0) {
      this.#greatest = Number.NEGATIVE_INFINITY;
      this.#isSorted = true;
    }
    return existed;
  }

  /** Walks the values in ascending order of key. The map must not change meanwhile. */
  values(): IterableIterator<V> {
    if (!this.#isSorted) {
      this.#entries = new Map([...this.#entries].sort(([a], [b]) => a - b));
      this.#isSorted = true;
    }
    return this.#entries.values();
  }
}
