/** Several streams as one, each item as soon as it comes. */

interface Turn<T> {
  readonly from: number;
  readonly result: IteratorResult<T>;
}

/** Yields from all streams until all have ended; the first failure ends them all. */
export async function* mergeStreams<T>(streams: readonly AsyncIterable<T>[]): AsyncIterable<T> {
  const iterators = streams.map((stream) => stream[Symbol.asyncIterator]());
  const next = async (from: number): Promise<Turn<T>> => {
    const result = await iterators[from]?.next();
    return { from, result: result ?? { done: true, value: undefined } };
  };
  const turns = new Map(iterators.map((_, n) => [n, next(n)]));
  try {
    while (turns.size > 0) {
      const { from, result } = await Promise.race(turns.values());
      // Whose turn it was goes to the end of the line: a stream that always has more starves no other.
      turns.delete(from);
      if (result.done) continue;
      turns.set(from, next(from));
      yield result.value;
    }
  } finally {
    for (const turn of turns.values()) turn.catch(() => {});
    await Promise.allSettled(iterators.map((iterator) => iterator.return?.()));
  }
}
