/** What is wrong with a command line before anything is asked of a server; ends with exit code 2. */

/** Thrown for a command line, or a file of the user, that makes no sense. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  /** `next` says what to write instead. */
  constructor(
    message: string,
    readonly next?: string,
  ) {
    super(message);
  }
}
