/**
 * Who has come to the queue of late, in order: so that who knows the queue as of a moment
 * can tell what is new in it without walking it. Derived, and no part of the state's hash.
 */
import type { AllocationId } from "../domain/ids.ts";

/** So many are remembered at least. */
const KEPT = 8_192;

export class Arrivals {
  #ids: AllocationId[] = [];
  /** How many were forgotten. */
  #forgotten = 0;

  /** How many have come so far. */
  get count(): number {
    return this.#forgotten + this.#ids.length;
  }

  /** Remembers one that has come. */
  add(id: AllocationId): void {
    this.#ids.push(id);
    if (this.#ids.length < 2 * KEPT) return;
    this.#forgotten += KEPT;
    this.#ids = this.#ids.slice(KEPT);
  }

  /** Returns those that came after the first `count`, or undefined where some of them are forgotten. */
  after(count: number): readonly AllocationId[] | undefined {
    return count < this.#forgotten ? undefined : this.#ids.slice(count - this.#forgotten);
  }
}
