/**
 * The one web application: the REST table, the RPC handlers and the API document. A request
 * is authenticated before its body is read; every error leaves as problem+json.
 */
import { Elysia } from "elysia";
import type { CertificateIdentity } from "../../core/access/certificate.ts";
import { fault } from "../../core/domain/errors.ts";
import type { Principal } from "../../core/domain/principal.ts";
import { beginCall } from "../../engine/server/call.ts";
import { meterRequest } from "../../engine/server/request-metrics.ts";
import type { Server } from "../../engine/server/server.ts";
import type { Authenticator } from "../auth/authenticate.ts";
import { RequestCall, requestIdOf } from "../auth/request-call.ts";
import { faultOf, problemOf } from "../errors.ts";
import { apiDocument } from "./openapi.ts";
import { checkQuery } from "./query.ts";
import { json, type Route } from "./route.ts";
import { type Discovery, publicRoutes, ROUTES } from "./routes.ts";

/** An RPC as a fetch handler. */
export interface RpcHandler {
  readonly requestPath: string;
  readonly handle: (request: Request) => Promise<Response>;
}

/** What the application is made from. */
export interface AppParts {
  readonly server: Server;
  readonly authenticator: Authenticator;
  /** @throws RATE_LIMITED when the principal has asked too often. */
  readonly admit: (principal: Principal) => void;
  readonly discovery: Discovery;
  readonly rpcHandlers: readonly RpcHandler[];
  /** The verified client certificates of requests in hand. */
  readonly certificates: WeakMap<object, CertificateIdentity>;
  /** The network addresses of requests in hand. */
  readonly addresses: WeakMap<object, string>;
  /** Aborts when the server shuts down. */
  readonly shutdown: AbortSignal;
}

/** Returns the application. */
export function createApp(parts: AppParts) {
  const { server } = parts;
  const exposed = publicRoutes(parts.discovery);
  const methods = methodsByPath(exposed);
  // Elysia takes a host of up to three characters for part of the path unless told that hosts may be short.
  const app = new Elysia({ handler: { standardHostname: false } });
  app.onError(({ error, request, code, path }) => {
    const requestId = requestIdOf(request.headers, () => server.entropy.uuid());
    if (code === "NOT_FOUND") return routeMissing(methods, { path, method: request.method, requestId });
    return problemOf(faultOf(error, requestId, server.log), requestId);
  });
  app.get("/openapi", () => json(apiDocument()));
  for (const route of exposed) app.get(route.path, () => route.handle(server));
  for (const route of ROUTES) {
    // The context of a route without parameters has none, whatever its type says.
    app.route(
      route.method,
      route.path,
      ({ request, params }) => answer(parts, route, { request, params: params ?? {} }),
      {
        parse: "none",
      },
    );
  }
  for (const { requestPath, handle } of parts.rpcHandlers) {
    app.all(requestPath, ({ request }) => handle(request), { parse: "none" });
  }
  return app;
}

interface Asked {
  readonly request: Request;
  readonly params: Readonly<Record<string, string>>;
}

async function answer(parts: AppParts, route: Route, { request, params }: Asked): Promise<Response> {
  const { server, authenticator, shutdown } = parts;
  const requestId = requestIdOf(request.headers, () => server.entropy.uuid());
  const meter = meterRequest(server, { face: "rest", operation: route.operation, requestId });
  const from = parts.addresses.get(request) ?? "";
  let principal: Principal | undefined;
  try {
    const certificate = parts.certificates.get(request);
    const known = authenticator.authenticate(request.headers, certificate);
    const caller = known instanceof Promise ? await known : known;
    principal = caller.principal;
    parts.admit(principal);
    if (caller.validUntil !== undefined) server.denials.onLetIn(principal, from);
    const { headers, signal } = request;
    const call = new RequestCall(caller, requestId, { headers, signal, certificate, from });
    if (route.query) checkQuery(request.url, Object.keys(route.query));
    await beginCall(server.replica, call, route.operation);
    const response = await route.handle({ server, call, request, params, shutdown });
    response.headers.set("x-request-id", requestId);
    meter.end("ok");
    return response;
  } catch (error) {
    const failure = faultOf(error, requestId, server.log);
    meter.end(failure.reason);
    server.denials.onRefused({ principal, operation: route.operation, from, requestId }, failure);
    return problemOf(failure, requestId);
  }
}

/** Path patterns with the methods that they take. */
type Methods = readonly (readonly [pattern: RegExp, method: string])[];

const methodsByPath = (exposed: readonly { readonly path: string }[]): Methods =>
  [...ROUTES, ...exposed.map(({ path }) => ({ path, method: "GET" }))].map(({ path, method }) => [
    new RegExp(`^${path.replace(/:\w+/g, "[^/]+")}/?$`),
    method,
  ]);

function routeMissing(
  methods: Methods,
  { path, method, requestId }: { readonly path: string; readonly method: string; readonly requestId: string },
): Response {
  const allowed = methods.filter(([pattern]) => pattern.test(path)).map(([, allowedMethod]) => allowedMethod);
  if (allowed.length === 0) return problemOf(fault("ROUTE_NOT_FOUND", `there is no ${path}`), requestId);
  const of = fault("METHOD_NOT_ALLOWED", `${path} takes ${allowed.join(", ")}, not ${method}`);
  return problemOf(of, requestId, { allow: allowed.join(", ") });
}
