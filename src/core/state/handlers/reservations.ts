/** Reservations of administrators, and what they refuse. */
import { compareText } from "../../../base/compare.ts";
import type { Result } from "../../../base/result.ts";
import { ok } from "../../../base/result.ts";
import type { Allocation } from "../../domain/allocation.ts";
import type { Fault } from "../../domain/errors.ts";
import { refuse } from "../../domain/errors.ts";
import { admits, coversNode, isDuring } from "../../domain/nodes/node-reservation.ts";
import type { Claim } from "../../domain/resources.ts";
import type { Applying } from "../applying.ts";
import type { CommandBody, Outcome } from "../commands.ts";

/** Reserves nodes, and forgets the reservations that are over. */
export function reserveNodes(ctx: Applying, command: Extract<CommandBody, { kind: "reserve-nodes" }>): Outcome {
  const { reservation } = command;
  const { tenants, nodes, reservations } = ctx.state.tables;
  if (reservation.until <= ctx.at)
    return refuse("INVALID_SPEC", `reservation ${reservation.name} would be over already`);
  const { tenant } = reservation;
  if (tenant !== undefined && !tenants.has(tenant)) return refuse("TENANT_NOT_FOUND", `there is no tenant ${tenant}`);
  const unknown = reservation.nodes.find((id) => !nodes.has(id));
  if (unknown !== undefined) return refuse("NODE_NOT_FOUND", `there is no node ${unknown}`);
  const over = [...reservations.values()].filter(({ until }) => until <= ctx.at);
  for (const { name } of over) reservations.delete(name);
  reservations.put(reservation.name, { ...reservation, version: ctx.index, createdBy: ctx.by });
  ctx.events.push({ kind: "policy-changed" });
  return ok({ kind: "done" });
}

/** Gives the nodes back to all. */
export function deleteReservation(
  ctx: Applying,
  { name }: Extract<CommandBody, { kind: "delete-reservation" }>,
): Outcome {
  if (!ctx.state.tables.reservations.has(name)) {
    return refuse("RESERVATION_NOT_FOUND", `there is no reservation ${name}`);
  }
  ctx.state.tables.reservations.delete(name);
  ctx.events.push({ kind: "policy-changed" });
  return ok({ kind: "done" });
}

/** INV-S4: what starts on nodes that are reserved for others must have ended when the reservation begins. */
export function checkReservations(
  { state, at }: Applying,
  a: Allocation,
  claims: readonly Claim[],
): Result<void, Fault> {
  const end = a.walltimeMs > 0 ? at + a.walltimeMs : Number.POSITIVE_INFINITY;
  const reservations = [...state.tables.reservations.values()].sort((one, other) => compareText(one.name, other.name));
  for (const reservation of reservations) {
    if (admits(reservation, { tenant: a.spec.tenant, user: a.user }) || !isDuring(reservation, at, end)) continue;
    for (const { nodeId } of claims) {
      const node = state.tables.nodes.get(nodeId);
      if (node && coversNode(reservation, node)) {
        return refuse("NODE_UNSUITABLE", `node ${nodeId} is reserved by ${reservation.name}`);
      }
    }
  }
  return ok(undefined);
}
