/** Routes that the contract names and this build does not serve: 501 once the caller is authorized. */
import type { Operation } from "../../core/access/operations.ts";
import { type InactiveTarget, refuseInactive } from "../not-active.ts";
import { param, queryOf, type Route, type RouteContext } from "./route.ts";

type Target = Omit<InactiveTarget, "operation">;

const inactive =
  (of: (context: RouteContext) => Target) =>
  (route: Pick<Route, "method" | "path" | "operation" | "summary">): Route => ({
    ...route,
    summary: `${route.summary} (not active in this build)`,
    handle: (context) => refuseInactive(context.server, context.call, { operation: route.operation, ...of(context) }),
  });

const ofAllocation = inactive((context) => ({ allocation: param(context, "id") }));
const ofTenant = inactive((context) => ({ tenant: param(context, "id") || queryOf(context).text("tenant") }));
const ofUser = inactive((context) => ({ owner: queryOf(context).text("user") }));
const ofCaller = inactive(() => ({}));

const get = (path: string, operation: Operation, summary: string) =>
  ({ method: "GET", path, operation, summary }) as const;
const post = (path: string, operation: Operation, summary: string) =>
  ({ method: "POST", path, operation, summary }) as const;

/** The known routes of later capabilities. */
export const INACTIVE_ROUTES: readonly Route[] = [
  ofAllocation(
    get("/api/v1/allocations/:id/diagnostics", "allocation.metrics", "Checks the network and storage of an allocation"),
  ),
  ofAllocation(get("/api/v1/allocations/:id/metrics", "allocation.metrics", "Shows metrics of an allocation")),
  ofAllocation(get("/api/v1/allocations/:id/metrics/stream", "allocation.metrics", "Streams metrics of an allocation")),
  ofCaller(post("/api/v1/sessions", "session.create", "Opens an interactive session")),
  ofCaller(get("/api/v1/sessions/:id", "session.read", "Shows a session")),
  ofCaller({
    method: "DELETE",
    path: "/api/v1/sessions/:id",
    operation: "session.delete",
    summary: "Ends a session",
  }),
  ofTenant(get("/api/v1/tenants/:id/usage", "usage.read", "Shows the usage of a tenant")),
  ofTenant(get("/api/v1/accounting/usage", "usage.read", "Shows the remaining budget of a tenant")),
  ofUser(get("/api/v1/usage", "usage.read", "Shows the usage of a user")),
  ofCaller(get("/api/v1/services", "service.read", "Lists services")),
  ofCaller(get("/api/v1/services/:name", "service.read", "Shows the endpoints of a service")),
];
