/** Meets feature counts: how many nodes of each offer give a demand the features it asks for in numbers. */
import type { ResourceRequest } from "../domain/resources.ts";

/** A demand, as far as its features go. */
interface Wanted {
  readonly request: Pick<ResourceRequest, "featureCounts">;
  readonly offers: readonly Offered[];
}

interface Offered {
  readonly of: { readonly features: ReadonlySet<string> };
}

/**
 * Returns how many nodes to take of each offer so that every feature count is met, or
 * undefined when `available` (by offer) does not allow it. Takes the node with most of the
 * features still missing, so it may take more nodes than the least possible.
 */
export function coverFeatures(demand: Wanted, available: readonly number[]): readonly number[] | undefined {
  const missing = new Map(Object.entries(demand.request.featureCounts).filter(([, count]) => count > 0));
  const taken = demand.offers.map(() => 0);
  while (missing.size > 0) {
    const at = mostMissing(demand.offers, missing, (i) => (available[i] ?? 0) - (taken[i] ?? 0));
    const offer = demand.offers[at];
    if (!offer) return undefined;
    taken[at] = (taken[at] ?? 0) + 1;
    for (const [feature, count] of missing) {
      if (!offer.of.features.has(feature)) continue;
      if (count === 1) missing.delete(feature);
      else missing.set(feature, count - 1);
    }
  }
  return taken;
}

function mostMissing(
  offers: readonly Offered[],
  missing: ReadonlyMap<string, number>,
  left: (offer: number) => number,
): number {
  let best = -1;
  let bestCount = 0;
  for (const [i, offer] of offers.entries()) {
    if (left(i) <= 0) continue;
    let count = 0;
    for (const feature of missing.keys()) if (offer.of.features.has(feature)) count++;
    if (count > bestCount) {
      best = i;
      bestCount = count;
    }
  }
  return best;
}
