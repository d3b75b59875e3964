/** f9: whether so many nodes of one make are free that it need not mix. */

const UNKNOWN = 0.5;

/** Returns largest conformance group among the free nodes / nodes asked for, at most 1; one half where groups are not known. */
export function conformanceFactor(largestGroup: number | undefined, nodes: number): number {
  if (nodes <= 0) return 1;
  return largestGroup === undefined ? UNKNOWN : Math.min(1, largestGroup / nodes);
}
