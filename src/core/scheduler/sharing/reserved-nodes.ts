/** Which reservations of administrators each node is under. */
import type { NodeReservation } from "../../domain/nodes/node-reservation.ts";
import { coversNode } from "../../domain/nodes/node-reservation.ts";
import type { ClusterView, NodeView } from "../../domain/view.ts";

const NONE: readonly NodeReservation[] = [];

/** Returns what tells the reservations of a node; equal lists are the same list. */
export function reservationsByNode(view: ClusterView): (node: NodeView) => readonly NodeReservation[] {
  const all = view.reservations ?? NONE;
  if (all.length === 0) return () => NONE;
  const lists = new Map<string, readonly NodeReservation[]>();
  return (node) => {
    const covering = all.filter((one) => coversNode(one, node));
    const key = textOf(covering);
    const known = lists.get(key) ?? covering;
    lists.set(key, known);
    return known;
  };
}

const textOf = (reservations: readonly NodeReservation[]): string => reservations.map(({ name }) => name).join("\n");

/** Returns a text that is equal for equal lists. */
export const closedKey = (closed: readonly NodeReservation[]): string =>
  closed.length === 0 ? "" : `\n\n${textOf(closed)}`;
