/** The orders in which it is tried what may overtake: none delays a promise, so they differ in what the machine gains. */
import { compareNumber } from "../../base/compare.ts";
import type { PendingView } from "../domain/view.ts";
import { endOf } from "./availability.ts";
import type { BackfillOrder } from "./policy.ts";

/** Node-milliseconds up to which work is small: 100 nodes for a second, or one for 100 s. */
const SMALL = 100_000;

/** Returns the allocations in that order; among equals the rank stays. */
export function inBackfillOrder(ranked: readonly PendingView[], order: BackfillOrder): readonly PendingView[] {
  if (order === "rank" || ranked.length < 2) return ranked;
  const keyOf = order === "shortest" ? lengthOf : packingKey;
  const keyed = ranked.map((pending) => ({ pending, key: keyOf(pending) }));
  return keyed.sort((a, b) => (a.key === b.key ? 0 : compareNumber(a.key, b.key))).map(({ pending }) => pending);
}

/** Without a walltime it is without end. */
const lengthOf = ({ walltimeMs }: PendingView): number => endOf(0, walltimeMs);

/** Small work first, from the smallest; then the rest from the largest, below all small ones by its sign. */
function packingKey(pending: PendingView): number {
  const area = lengthOf(pending) * pending.request.nodesMin;
  return area <= SMALL ? area - SMALL : 1 / area;
}
