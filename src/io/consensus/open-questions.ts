/** Questions to the raft worker whose answers are out, by ticket. */
import type { LogIndex } from "../../base/brand.ts";
import { logIndex } from "../../base/brand.ts";
import type { Fault } from "../../core/domain/errors.ts";
import { LatticeError } from "../../core/domain/errors.ts";

interface Open {
  readonly resolve: (index: LogIndex) => void;
  readonly reject: (error: LatticeError) => void;
}

export class OpenQuestions {
  readonly #open = new Map<number, Open>();
  #ticket = 0;

  /** Opens a question: its ticket, and the answer to come. */
  open(): { readonly ticket: number; readonly answer: Promise<LogIndex> } {
    const { promise: answer, resolve, reject } = Promise.withResolvers<LogIndex>();
    this.#ticket += 1;
    this.#open.set(this.#ticket, { resolve, reject });
    return { ticket: this.#ticket, answer };
  }

  /** An answer: an index to a read, nothing to what was only to be done, or why not. */
  answer(ticket: number, { index, fault }: { readonly index?: LogIndex; readonly fault?: Fault }): void {
    const open = this.#open.get(ticket);
    this.#open.delete(ticket);
    if (fault) open?.reject(new LatticeError(fault));
    else open?.resolve(index ?? logIndex(0));
  }

  /** No answer will come. */
  end(cause: Fault): void {
    const all = [...this.#open.values()];
    this.#open.clear();
    for (const { reject } of all) reject(new LatticeError(cause));
  }
}
