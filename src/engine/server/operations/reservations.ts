/** Reservations of administrators: nodes kept for somebody, or free of work, for a time. */
import type { Millis } from "../../../base/brand.ts";
import { compareText } from "../../../base/compare.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import { nodeId, tenantId, userId } from "../../../core/domain/ids.ts";
import type { NodeReservation } from "../../../core/domain/nodes/node-reservation.ts";
import type { Call } from "../call.ts";
import type { Server } from "../server.ts";
import { demand } from "./access.ts";
import { checkName } from "./names.ts";
import { pageByText } from "./paging.ts";
import { propose } from "./propose.ts";
import type { Page, PageRequest } from "./results.ts";

/** What is to be reserved; the fields are those of a reservation. */
export interface WantedReservation {
  readonly name: string;
  /** Absent: from now on. */
  readonly from?: Millis;
  readonly until?: Millis;
  readonly nodes?: readonly string[];
  readonly features?: readonly string[];
  readonly tenant?: string;
  readonly users?: readonly string[];
  readonly reason?: string;
}

/** Reserves nodes; one of the same name is replaced. */
export async function createReservation(
  server: Server,
  call: Call,
  wanted: WantedReservation,
): Promise<NodeReservation> {
  demand(call, "reservation.create");
  const name = checkName("reservation", wanted.name);
  const { from = server.clock.now(), until, nodes = [], features = [], tenant = "", users = [], reason = "" } = wanted;
  if (until === undefined || until <= from) {
    const next = "give an end that comes after its beginning";
    throw new LatticeError(
      fault("INVALID_SPEC", `reservation ${name} has no time between its beginning and its end`, next),
    );
  }
  const reservation = {
    ...{ name, from, until, features: [...new Set(features)], reason },
    nodes: [...new Set(nodes)].map(nodeId),
    users: [...new Set(users)].map(userId),
    ...(tenant !== "" && { tenant: tenantId(tenant) }),
  };
  const body = { kind: "reserve-nodes", reservation } as const;
  const act = { operation: "reservation.create", target: { name } } as const;
  await propose(server, call, { operation: body.kind, request: { ...wanted }, body, act });
  return findReservation(server, name);
}

/** Returns the reservations that are not over, by name. */
export async function listReservations(server: Server, call: Call, page: PageRequest): Promise<Page<NodeReservation>> {
  demand(call, "reservation.read");
  const now = server.clock.now();
  const all = [...server.replica.state.tables.reservations.values()].filter(({ until }) => until > now);
  all.sort((a, b) => compareText(a.name, b.name));
  return pageByText(all, ({ name }) => name, page);
}

/** Gives reserved nodes back. */
export async function deleteReservation(server: Server, call: Call, name: string): Promise<void> {
  demand(call, "reservation.delete");
  const body = { kind: "delete-reservation", name } as const;
  const act = { operation: "reservation.delete", target: { name } } as const;
  await propose(server, call, { operation: body.kind, request: body, body, act });
}

function findReservation(server: Server, name: string): NodeReservation {
  const found = server.replica.state.tables.reservations.get(name);
  if (!found) throw new LatticeError(fault("RESERVATION_NOT_FOUND", `there is no reservation ${name}`));
  return found;
}
