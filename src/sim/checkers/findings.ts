/** What the checkers of one run found. A run ends with the first finding. */

/** A property that does not hold, and how that shows. */
export interface Finding {
  readonly property: string;
  readonly text: string;
}

export class Findings {
  readonly #found: Finding[] = [];

  add(property: string, text: string): void {
    this.#found.push({ property, text });
  }

  get first(): Finding | undefined {
    return this.#found[0];
  }
}
