/**
 * When the driver works: whatever happens is noted, and one turn takes it all. A turn has
 * two halves, since a write blocks the thread: what it sends first leaves between them.
 */

/** What is done in a turn. */
export interface TurnHalves {
  /** Takes everything in and sends what may leave; returns whether a write is to wait until that has left. */
  readonly takeIn: (inputs: readonly (() => void)[]) => boolean;
  /** Writes, and does what waited for that. */
  readonly finish: () => void;
}

export class RaftTurns {
  readonly #halves: TurnHalves;
  readonly #defer: (callback: () => void) => void;
  #inputs: (() => void)[] = [];
  #isDue = false;
  #isHalfDone = false;
  #isOver = false;

  constructor(halves: TurnHalves, defer: (callback: () => void) => void) {
    this.#halves = halves;
    this.#defer = defer;
  }

  /** Notes what is to be taken in. */
  later(input: () => void): void {
    this.#inputs.push(input);
    this.wake();
  }

  /** Asks for a turn. */
  wake(): void {
    if (this.#isDue || this.#isOver) return;
    this.#isDue = true;
    this.#defer(() => this.#isDue && this.run());
  }

  /** Takes a turn at once. */
  run(): void {
    if (this.#isOver) return;
    this.#isDue = false;
    this.finish();
    this.#isHalfDone = true;
    // A link sends at the end of the callback it is called in: before this promise.
    if (this.#halves.takeIn(this.#inputs.splice(0))) void Promise.resolve().then(() => this.finish());
    else this.finish();
  }

  /** Ends a turn that waits for the link. */
  finish(): void {
    if (!this.#isHalfDone || this.#isOver) return;
    this.#isHalfDone = false;
    this.#halves.finish();
  }

  /** Takes no turn any more, nor the half of one. */
  end(): void {
    this.#isOver = true;
    this.#inputs = [];
  }
}
