/**
 * Bugs, as opposed to faults: a broken invariant throws InvariantError, which nobody
 * catches but the binary (it logs and exits) or the agent (it fails that one workload).
 */

/** Thrown when the code contradicts itself. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** Throws InvariantError with `message` unless `condition` holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** Returns `value`, which must be neither undefined nor null. */
export function present<T>(value: T | undefined | null, message: string): T {
  assert(value !== undefined && value !== null, message);
  return value;
}

/** Marks the branch that an exhaustive switch cannot reach. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${JSON.stringify(value)}`);
}
