/**
 * What happened, one line an event, in fixed columns; and a hash over all lines, by which
 * two runs of a seed are compared.
 *
 *   columns   0-9    virtual time in seconds
 *             12-17  who: `s1` a server, `n1` a node's agent, `c1` a client, `-` the world
 *             19-30  what
 *             32-    details
 */
import { hashHex, hashText } from "../../base/hash.ts";

/** Takes the lines of a run. */
export class Trace {
  #hash = "";
  readonly #counts = new Map<string, number>();
  readonly #onLine: ((line: string) => void) | undefined;

  constructor(onLine?: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** Writes one line. */
  line(atMs: number, who: string, { what, detail }: { readonly what: string; readonly detail: string }): void {
    const time = (atMs / 1000).toFixed(3).padStart(10);
    const text = `${time}  ${who.padEnd(6)} ${what.padEnd(12)} ${detail}`;
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
    this.#hash = hashHex(hashText(`${this.#hash}${text}`));
    this.#onLine?.(text);
  }

  /** How often each thing happened so far. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** The hash over all lines so far, in order. */
  get hash(): string {
    return this.#hash;
  }
}
