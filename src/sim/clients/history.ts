/** What clients did and were told, for the checkers. */
import type { Operation } from "../checkers/linearizability.ts";
import type { AllocationInput, AllocationOutput, RegisterInput, RegisterOutput } from "./models.ts";

/** An operation under way. */
export interface OpenOperation<Output> {
  /** The answer came: the first one counts. */
  answer(output: Output): void;
}

interface Recorded<Input, Output> extends Omit<Operation<Input, Output>, "answer"> {
  answer: Operation<Input, Output>["answer"];
}

/** Operations on objects of one kind. */
export class History<Input, Output> {
  readonly #operations: Recorded<Input, Output>[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  get operations(): readonly Operation<Input, Output>[] {
    return this.#operations;
  }

  /** Begins an operation. */
  call(client: string, key: string, input: Input): OpenOperation<Output> {
    const operation: Recorded<Input, Output> = { key, client, input, calledAt: this.#now(), answer: undefined };
    this.#operations.push(operation);
    return {
      answer: (output) => {
        operation.answer ??= { output, returnedAt: this.#now() };
      },
    };
  }
}

/** Everything that the clients of one run did. */
export interface Histories {
  readonly registers: History<RegisterInput, RegisterOutput>;
  readonly allocations: History<AllocationInput, AllocationOutput>;
}
