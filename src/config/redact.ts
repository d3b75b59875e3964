/**
 * Secrets as values that do not print. A secret is read through `reveal` where it is
 * used; every other way of turning it into text gives the same fixed word, so that a
 * log line, an error or `config check` cannot leak it.
 */

/** What stands in the place of a secret wherever it would be printed. */
export const REDACTED = "(set, not shown)";

/** A value that must not be printed. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** Returns the value. The caller must not log it. */
  reveal(): string {
    return this.#value;
  }

  /** Returns the fixed word. */
  toString(): string {
    return REDACTED;
  }

  /** Returns the fixed word, so that JSON.stringify does not leak it. */
  toJSON(): string {
    return REDACTED;
  }

  /** Returns the fixed word to the runtime's own inspection of values. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return REDACTED;
  }
}
