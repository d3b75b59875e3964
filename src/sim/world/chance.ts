/** Draws from a stream of random numbers. */
import type { Prng } from "../../base/prng.ts";

/** A span from which a number is drawn, both ends included. */
export type Span = readonly [min: number, max: number];

/** Returns whether something of probability `rate` happens. */
export const happens = (random: Prng, rate: number): boolean => rate > 0 && random() < rate;

/** Returns a number of the span. */
export const within = (random: Prng, [min, max]: Span): number => min + random() * (max - min);

/** Returns a whole number of the span. */
export const wholeWithin = (random: Prng, [min, max]: Span): number => min + Math.floor(random() * (max - min + 1));

/** Returns one of the items, or undefined when there are none. */
export const pick = <T>(random: Prng, items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)];

/** Returns the items in a random order. */
export function shuffled<T>(random: Prng, items: readonly T[]): readonly T[] {
  const keyed = items.map((item) => ({ item, key: random() }));
  return keyed.toSorted((a, b) => a.key - b.key).map(({ item }) => item);
}
