/** What clients have asked for, shared by all of them: what they look at, and what must be there in the end. */

/** One submission. */
export interface Submission {
  /** Unique; also its idempotency key. */
  readonly name: string;
  /** It never runs. */
  readonly isParked: boolean;
  id: string | undefined;
  isAcknowledged: boolean;
  isRefused: boolean;
  isCancelled: boolean;
}

/** A tenant that serves as a register. */
export interface Register {
  readonly name: string;
  operations: number;
}

/** Submissions that are still looked at. */
const RECENT = 12;

export class WorkRegister {
  /** A tenant with room for few nodes. */
  readonly smallTenant = "small";
  readonly #submissions: Submission[] = [];
  readonly #registers: Register[] = [];
  #value = 1_000;

  get submissions(): readonly Submission[] {
    return this.#submissions;
  }

  get registers(): readonly Register[] {
    return this.#registers;
  }

  get recent(): readonly Submission[] {
    return this.#submissions.slice(-RECENT);
  }

  add({ name, isParked }: Pick<Submission, "name" | "isParked">): Submission {
    const submission = {
      name,
      isParked,
      id: undefined,
      isAcknowledged: false,
      isRefused: false,
      isCancelled: false,
    };
    this.#submissions.push(submission);
    return submission;
  }

  /** Returns the register of the moment; a new one after `operationsMax` uses. */
  register(operationsMax: number): Register {
    let last = this.#registers.at(-1);
    if (last === undefined || last.operations >= operationsMax) {
      last = { name: `register-${this.#registers.length + 1}`, operations: 0 };
      this.#registers.push(last);
    }
    last.operations += 1;
    return last;
  }

  /** Returns a value that was never written. */
  nextValue(): number {
    this.#value += 1;
    return this.#value;
  }
}
