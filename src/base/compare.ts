/** Orderings that give the same answer on every host (no locale, no default text sort). */

/** Orders text by UTF-16 code unit. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Orders numbers, ascending. */
export const compareNumber = (a: number, b: number): number => a - b;
