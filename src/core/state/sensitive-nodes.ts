/** Nodes that are claimed for sensitive work, as the scheduler sees them: reserved without end for who has claimed them. */
import { logIndex, millis } from "../../base/brand.ts";
import type { NodeId, UserId } from "../domain/ids.ts";
import type { Node } from "../domain/node.ts";
import type { NodeReservation } from "../domain/nodes/node-reservation.ts";
import type { State } from "./state.ts";

/** The last time that has four digits in its year. */
const NEVER = millis(253_402_214_400_000);

/** Puts a node into the index of claimed ones, or takes it out. */
export function indexClaim({ indexes }: State, { id, sensitiveClaim }: Node): void {
  if (sensitiveClaim) indexes.claimed.add(id);
  else indexes.claimed.delete(id);
}

/** Returns one reservation for each user who has claimed nodes. */
export function claimsAsReservations({ tables, indexes }: State): readonly NodeReservation[] {
  const nodesOf = new Map<UserId, NodeId[]>();
  for (const id of indexes.claimed) {
    const sensitiveClaim = tables.nodes.get(id)?.sensitiveClaim;
    if (!sensitiveClaim) continue;
    const known = nodesOf.get(sensitiveClaim.user);
    if (known) known.push(id);
    else nodesOf.set(sensitiveClaim.user, [id]);
  }
  return [...nodesOf].map(([user, nodes]) => ({
    // No administrator's reservation has a name with a space.
    name: `sensitive claim of ${user}`,
    version: logIndex(0),
    from: millis(0),
    until: NEVER,
    nodes,
    features: [],
    users: [user],
    reason: "claimed for sensitive work",
    createdBy: user,
  }));
}
