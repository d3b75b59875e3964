/** How long to wait before the next dial. Random, so that a thousand agents do not come back at once. */

const FIRST_MS = 200;
const LONGEST_MS = 5_000;
/** After a refusal that trying again will not mend by itself. */
const REFUSED_MS = 30_000;

/** Doubling delays with full jitter; starts again after a success. */
export class BackOff {
  #failures = 0;

  /** Returns the next delay; `random` is in [0, 1). */
  next(random: number, isRefused: boolean): number {
    const ceiling = isRefused ? REFUSED_MS : Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 16);
    return ceiling / 2 + (ceiling / 2) * random;
  }

  reset(): void {
    this.#failures = 0;
  }
}
