/** Routes of the reservations of administrators. */
import { t } from "elysia";
import { millis } from "../../base/brand.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { NodeReservation } from "../../core/domain/nodes/node-reservation.ts";
import { createReservation, deleteReservation, listReservations } from "../../engine/server/operations/reservations.ts";
import { momentJson } from "./allocation-json.ts";
import { jsonBody } from "./json-body.ts";
import { created, json, PAGE_QUERY, page, param, queryOf, type Route } from "./route.ts";

const RESERVATION_BODY = jsonBody(
  t.Object({
    name: t.String(),
    starts_at: t.Optional(t.String({ description: "RFC 3339; now when absent" })),
    ends_at: t.String({ description: "RFC 3339" }),
    nodes: t.Optional(t.Array(t.String(), { description: "all nodes when neither nodes nor features are given" })),
    features: t.Optional(t.Array(t.String(), { description: "nodes that have all of these" })),
    tenant: t.Optional(t.String({ description: "whose users may use them; nobody when neither is given" })),
    users: t.Optional(t.Array(t.String())),
    reason: t.Optional(t.String()),
  }),
);

const reservationJson = (reservation: NodeReservation) => ({
  name: reservation.name,
  starts_at: momentJson(reservation.from),
  ends_at: momentJson(reservation.until),
  nodes: reservation.nodes,
  features: reservation.features,
  tenant: reservation.tenant ?? null,
  users: reservation.users,
  reason: reservation.reason,
  created_by: reservation.createdBy,
  version: reservation.version,
});

/** Returns a moment of a body. @throws INVALID_BODY when it is none. */
export function momentOf(field: string, text: string) {
  const at = Date.parse(text);
  if (Number.isNaN(at)) {
    throw new LatticeError(
      fault("INVALID_BODY", `${field} is ${JSON.stringify(text)}`, "write it as 2026-12-24T08:00:00Z"),
    );
  }
  return millis(at);
}

/** Reservations of administrators. */
export const RESERVATION_ROUTES: readonly Route[] = [
  {
    method: "POST",
    path: "/api/v1/reservations",
    operation: "reservation.create",
    summary: "Keeps nodes for somebody, or free of work, for a time",
    body: RESERVATION_BODY,
    async handle({ server, call, request }) {
      const { starts_at: from, ends_at: until, ...rest } = await RESERVATION_BODY.read(request);
      const wanted = {
        ...rest,
        until: momentOf("ends_at", until),
        ...(from !== undefined && { from: momentOf("starts_at", from) }),
      };
      return created(reservationJson(await createReservation(server, call, wanted)));
    },
  },
  {
    method: "GET",
    path: "/api/v1/reservations",
    operation: "reservation.read",
    summary: "Lists reservations that are not over",
    query: PAGE_QUERY,
    handle: async (context) =>
      page(await listReservations(context.server, context.call, queryOf(context).page()), reservationJson),
  },
  {
    method: "DELETE",
    path: "/api/v1/reservations/:name",
    operation: "reservation.delete",
    summary: "Gives reserved nodes back",
    async handle(context) {
      await deleteReservation(context.server, context.call, param(context, "name"));
      return json({ success: true });
    },
  },
];
