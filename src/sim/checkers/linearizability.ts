/**
 * Is there an order of the operations, each at one moment between its call and its return,
 * in which every answer is right? The search of Wing and Gong with the memory of Lowe: a
 * set of operations done and the state they lead to is looked at once. Histories are kept
 * apart by key, which is sound because each key is an object of its own.
 */
import { compareNumber } from "../../base/compare.ts";

/** One operation of a client; what was never answered may have happened at any later time, or never. */
export interface Operation<Input, Output> {
  readonly key: string;
  readonly client: string;
  readonly input: Input;
  readonly calledAt: number;
  /** Undefined when no answer came. */
  readonly answer: { readonly output: Output; readonly returnedAt: number } | undefined;
}

/** What an object of one key does. */
export interface SequentialModel<State, Input, Output> {
  readonly initial: State;
  /** Returns the state afterwards, or undefined when the answer is wrong in this state; an absent answer fits any. */
  step(state: State, input: Input, output: Output | undefined): State | undefined;
  /** Equal for equal states. */
  encode(state: State): string;
}

/** Returns the keys whose operations have no such order. */
export function findUnorderable<State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
): readonly string[] {
  const byKey = new Map<string, Operation<Input, Output>[]>();
  for (const operation of history) {
    const known = byKey.get(operation.key);
    if (known === undefined) byKey.set(operation.key, [operation]);
    else known.push(operation);
  }
  return [...byKey].filter(([, operations]) => !isLinearizable(model, operations)).map(([key]) => key);
}

/** Returns whether the operations of one key have such an order. */
export function isLinearizable<State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
): boolean {
  const sorted = operations.toSorted((a, b) => compareNumber(a.calledAt, b.calledAt));
  const seen = new Set<string>();
  const done = sorted.map(() => false);
  const search = (state: State): boolean => {
    const next = candidates(sorted, done);
    if (next.every((i) => sorted[i]?.answer === undefined)) return true;
    for (const i of next) {
      const operation = sorted[i];
      if (operation === undefined) continue;
      const after = model.step(state, operation.input, operation.answer?.output);
      if (after === undefined) continue;
      done[i] = true;
      const place = `${done.map(Number).join("")} ${model.encode(after)}`;
      if (!seen.has(place)) {
        seen.add(place);
        if (search(after)) return true;
      }
      done[i] = false;
    }
    return false;
  };
  return search(model.initial);
}

/** Whatever was called before the first return of what is left may come next. */
function candidates<Input, Output>(
  sorted: readonly Operation<Input, Output>[],
  done: readonly boolean[],
): readonly number[] {
  let firstReturn = Number.POSITIVE_INFINITY;
  for (const [i, { answer }] of sorted.entries()) {
    if (!done[i] && answer !== undefined) firstReturn = Math.min(firstReturn, answer.returnedAt);
  }
  const found: number[] = [];
  for (const [i, { calledAt }] of sorted.entries()) {
    if (calledAt > firstReturn) break;
    if (!done[i]) found.push(i);
  }
  return found;
}
