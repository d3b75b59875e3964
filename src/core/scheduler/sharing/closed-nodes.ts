/**
 * Nodes that an administrator's reservation closes to an allocation: it may use them until
 * the reservation begins, and again when it is over. Nodes of one class are all reserved
 * by the same, so a class is closed as a whole.
 */
import type { NodeReservation } from "../../domain/nodes/node-reservation.ts";
import { admits, isDuring } from "../../domain/nodes/node-reservation.ts";
import type { ClusterView, PendingView } from "../../domain/view.ts";
import type { Demand } from "../demand.ts";
import { withOffers } from "../demand.ts";

const NONE: readonly NodeReservation[] = [];

/** Returns the reservations that do not admit the allocation; they are part of what its demand means. */
export const closedTo = (view: ClusterView, pending: PendingView): readonly NodeReservation[] =>
  view.reservations?.filter((one) => !admits(one, pending)) ?? NONE;

/** Returns the reservations that close the offer to the demand. */
export const closing = ({ closed }: Demand, { of }: Demand["offers"][number]): readonly NodeReservation[] =>
  of.reservations.length === 0 ? NONE : of.reservations.filter((one) => closed?.includes(one));

/** Returns the demand on the nodes that are open to it from `start` until `end`: itself where all are. */
export function openDuring(demand: Demand, start: number, end: number): Demand {
  const { offers, closed = NONE } = demand;
  if (closed.length === 0) return demand;
  const open = offers.filter((offer) => !closing(demand, offer).some((one) => isDuring(one, start, end)));
  return open.length === offers.length ? demand : withOffers(demand, open);
}
