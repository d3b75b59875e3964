/** Random UUIDs of a fake world. */
import type { Prng } from "../base/prng.ts";

/** Returns a version 4 UUID from a stream of random numbers. */
export function uuidFrom(random: Prng): string {
  const digits = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join("");
  const [a, b, c, d, e] = [
    [0, 8],
    [8, 12],
    [13, 16],
    [17, 20],
    [20, 32],
  ].map(([from, to]) => digits.slice(from, to));
  return `${a}-${b}-4${c}-8${d}-${e}`;
}
