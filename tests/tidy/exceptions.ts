/**
 * What the limits let pass, by file: how many functions of it are too long or take too
 * many parameters, and how long the file is. A row must be exactly true, so that the list
 * can only shrink; a function never exceeds 70 lines and a file never 500.
 */
export const FUNCTIONS_TOO_LONG: Readonly<Record<string, number>> = {};

/** Table builders whose parameters are the columns of a row. */
export const TOO_MANY_PARAMETERS: Readonly<Record<string, number>> = {
  "src/core/domain/errors.ts": 1,
};

/** Lines of files over 400. */
export const FILES_TOO_LONG: Readonly<Record<string, number>> = {};

/** Files in folders over 20. */
export const FOLDERS_TOO_FULL: Readonly<Record<string, number>> = {};
