/** What work that ends adds to the record of use. */
import type { Allocation } from "../domain/allocation.ts";
import type { State } from "./state.ts";
import { metaOf } from "./state.ts";
import { Usage } from "./usage.ts";

/** Returns the record of use, or undefined where none has been begun. */
export function usageOf(state: State): Usage | undefined {
  const { usageHalfLifeMs } = metaOf(state);
  return usageHalfLifeMs === undefined ? undefined : new Usage(state.tables.usage, usageHalfLifeMs);
}

/** Adds a run that has ended: the last one when the record ends, which is not written again, the others at each restart. */
export function recordUsage(state: State, { spec, user, parts, startedAt, endedAt }: Allocation): void {
  if (startedAt === undefined || endedAt === undefined) return;
  const gpuMilli = parts.reduce((sum, { claim }) => sum + claim.gpuMilli, 0);
  usageOf(state)?.record({ tenant: spec.tenant, user, nodes: parts.length, gpuMilli, startedAt, endedAt });
}
