/** Reservations of administrators between domain and wire, both directions. */
import { create } from "@bufbuild/protobuf";
import { logIndex } from "../base/brand.ts";
import { nodeId, tenantId, userId } from "../core/domain/ids.ts";
import type { NodeReservation } from "../core/domain/nodes/node-reservation.ts";
import type { ReservationResponse } from "../gen/lattice/v1/admin_pb.ts";
import { ReservationResponseSchema } from "../gen/lattice/v1/admin_pb.ts";
import { timestampFromProto, timestampToProto } from "./timestamp.ts";

/** Writes a reservation. */
export const reservationToProto = (reservation: NodeReservation): ReservationResponse =>
  create(ReservationResponseSchema, {
    name: reservation.name,
    startsAt: timestampToProto(reservation.from),
    endsAt: timestampToProto(reservation.until),
    nodes: [...reservation.nodes],
    features: [...reservation.features],
    tenantId: reservation.tenant ?? "",
    users: [...reservation.users],
    reason: reservation.reason,
    createdBy: reservation.createdBy,
    version: BigInt(reservation.version),
  });

/** Reads a reservation. */
export const reservationFromProto = (proto: ReservationResponse): NodeReservation => ({
  name: proto.name,
  from: timestampFromProto(proto.startsAt),
  until: timestampFromProto(proto.endsAt),
  nodes: proto.nodes.map(nodeId),
  features: proto.features,
  ...(proto.tenantId !== "" && { tenant: tenantId(proto.tenantId) }),
  users: proto.users.map(userId),
  reason: proto.reason,
  createdBy: userId(proto.createdBy),
  version: logIndex(Number(proto.version)),
});
