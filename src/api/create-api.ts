/** All faces of a running server, ready to be put behind listeners. Made once, in bin/. */
import { createConnectRouter, createContextValues } from "@connectrpc/connect";
import { universalServerRequestFromFetch, universalServerResponseToFetch } from "@connectrpc/connect/protocol";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import type { CertificateIdentity } from "../core/access/certificate.ts";
import type { RateLimits } from "../core/access/rate-limit.ts";
import { RateLimiter } from "../core/access/rate-limit.ts";
import { LatticeError } from "../core/domain/errors.ts";
import type { Principal } from "../core/domain/principal.ts";
import type { Server } from "../engine/server/server.ts";
import { Authenticator, type AuthSettings } from "./auth/authenticate.ts";
import { ADDRESS, CERTIFICATE } from "./auth/connect-gate.ts";
import { rpcOptions, rpcRoutes } from "./connect/rpc-routes.ts";
import { connectErrorOf, SHUTTING_DOWN } from "./errors.ts";
import { createApp } from "./rest/elysia-app.ts";
import type { Discovery } from "./rest/routes.ts";

/** What the faces are made from. */
export interface ApiOptions {
  readonly server: Server;
  readonly auth: AuthSettings;
  readonly discovery?: Discovery;
  /** Absent: none. */
  readonly limits?: RateLimits;
}

/** Returns the faces. `stop` ends every open stream; requests in flight go on to their end. */
export function createApi({ server, auth, discovery = { issuer: "", clientId: "" }, limits }: ApiOptions) {
  const authenticator = new Authenticator(auth, () => server.clock.now());
  const limiter = new RateLimiter(limits ?? { requestsPerSecond: 0, requestBurst: 0 });
  const admit = (principal: Principal): void => {
    const refused = limiter.take(principal, server.clock.monotonic());
    if (refused) throw new LatticeError(refused);
  };
  const certificates = new WeakMap<object, CertificateIdentity>();
  const addresses = new WeakMap<object, string>();
  const valuesOf = (request: object) =>
    createContextValues().set(CERTIFICATE, certificates.get(request)).set(ADDRESS, addresses.get(request));
  const shutdown = new AbortController();
  const options = rpcOptions(server, { authenticator, admit }, shutdown.signal);
  const routes = rpcRoutes(server);
  const router = createConnectRouter({ ...options, grpc: false });
  routes(router);
  const rpcHandlers = router.handlers.map((handler) => ({
    requestPath: handler.requestPath,
    handle: async (request: Request) => {
      const asked = universalServerRequestFromFetch(request, { httpVersion: "2" });
      return universalServerResponseToFetch(await handler({ ...asked, contextValues: valuesOf(request) }));
    },
  }));
  const rpcPaths = new Set(rpcHandlers.map((handler) => handler.requestPath));
  const app = createApp({
    server,
    authenticator,
    admit,
    discovery,
    rpcHandlers,
    certificates,
    addresses,
    shutdown: shutdown.signal,
  });
  const adapter = connectNodeAdapter({
    ...options,
    routes,
    contextValues: valuesOf,
  });

  return {
    /** The web application, for tests and for the API document. */
    app,
    /** Answers REST, Connect and gRPC-Web. */
    fetch: (request: Request): Response | Promise<Response> => app.handle(request),
    /** Answers gRPC, Connect and gRPC-Web; only for the paths that `isRpc` names. */
    rpc: adapter,
    /** Says which client certificate, verified by the listener, a request came with. */
    certify: (request: object, certificate: CertificateIdentity): void => void certificates.set(request, certificate),
    /** Says which network address a request came from. */
    locate: (request: object, address: string): void => void addresses.set(request, address),
    isRpc: (path: string): boolean => rpcPaths.has(path),
    stop: (): void => shutdown.abort(connectErrorOf(SHUTTING_DOWN)),
  };
}
