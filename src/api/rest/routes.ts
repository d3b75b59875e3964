/** The table of all REST routes: each names its row of the access table and the operation behind it. */
import { fault } from "../../core/domain/errors.ts";
import { readiness } from "../../engine/server/operations/cluster.ts";
import type { Server } from "../../engine/server/server.ts";
import { AUTH_ROUTES } from "../auth/whoami-route.ts";
import { problemOf } from "../errors.ts";
import { ALLOCATION_ROUTES, DAG_ROUTES } from "./allocation-routes.ts";
import { AUDIT_ROUTES } from "./audit-routes.ts";
import { BACKUP_ROUTES } from "./backup-routes.ts";
import { NODE_ROUTES, TENANT_ROUTES, VCLUSTER_ROUTES } from "./cluster-routes.ts";
import { INACTIVE_ROUTES } from "./inactive-routes.ts";
import { QUORUM_ROUTES } from "./quorum-routes.ts";
import { RESERVATION_ROUTES } from "./reservation-routes.ts";
import { json, type PublicRoute, type Route } from "./route.ts";
import { STREAM_ROUTES } from "./stream-routes.ts";

/** Routes for authenticated callers, with the tag that groups them in the API document. */
export const ROUTES: readonly (Route & { readonly tag: string })[] = [
  ...tagged("allocations", ALLOCATION_ROUTES),
  ...tagged("streams", STREAM_ROUTES),
  ...tagged("workflows", DAG_ROUTES),
  ...tagged("nodes", NODE_ROUTES),
  ...tagged("tenants", TENANT_ROUTES),
  ...tagged("vclusters", VCLUSTER_ROUTES),
  ...tagged("reservations", RESERVATION_ROUTES),
  ...tagged("quorum", QUORUM_ROUTES),
  ...tagged("auth", AUTH_ROUTES),
  ...tagged("backups", BACKUP_ROUTES),
  ...tagged("audit", AUDIT_ROUTES),
  ...tagged("inactive", INACTIVE_ROUTES),
];

/** What clients must know before they can log in; all empty without an identity provider. */
export interface Discovery {
  readonly issuer: string;
  readonly clientId: string;
}

/** Returns the routes that need no credential. */
export const publicRoutes = ({ issuer, clientId }: Discovery): readonly PublicRoute[] => [
  {
    path: "/healthz",
    summary: "Says that the server is alive",
    handle: () => new Response("ok", { headers: { "content-type": "text/plain" } }),
  },
  {
    path: "/readyz",
    summary: "Says whether the server can serve: the servers have a leader, and this one has caught up with it",
    handle: ready,
  },
  {
    path: "/metrics",
    summary: "Gives the figures of this server in the OpenMetrics format",
    handle: metrics,
  },
  {
    path: "/api/v1/auth/discovery",
    summary: "Says where to log in",
    handle: () => json({ idp_url: issuer, client_id: issuer === "" ? "" : clientId, issuer }),
  },
];

async function ready(server: Server): Promise<Response> {
  const { isReady, detail } = await readiness(server);
  if (!isReady) return problemOf(fault("NO_QUORUM", detail), server.entropy.uuid());
  return new Response("ready", { headers: { "content-type": "text/plain" } });
}

async function metrics({ exposition, entropy }: Server): Promise<Response> {
  if (!exposition) return problemOf(fault("ROUTE_NOT_FOUND", "this server tells no figures"), entropy.uuid());
  return new Response(await exposition.text(), { headers: { "content-type": exposition.contentType } });
}

function tagged(tag: string, routes: readonly Route[]) {
  return routes.map((route) => ({ ...route, tag }));
}
