/** All faces of a running server, ready to be put behind listeners. Made once, in bin/. */
import { createConnectRouter, createContextValues } from "@connectrpc/connect";
import { createFetchHandler } from "@connectrpc/connect/protocol";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import type { CertificateIdentity } from "../core/access/certificate.ts";
import type { Server } from "../engine/server/server.ts";
import { Authenticator, type AuthSettings } from "./auth/authenticate.ts";
import { CERTIFICATE } from "./auth/connect-gate.ts";
import { rpcOptions, rpcRoutes } from "./connect/rpc-routes.ts";
import { connectErrorOf, SHUTTING_DOWN } from "./errors.ts";
import { createApp } from "./rest/elysia-app.ts";
import type { Discovery } from "./rest/routes.ts";

/** What the faces are made from. */
export interface ApiOptions {
  readonly server: Server;
  readonly auth: AuthSettings;
  readonly discovery?: Discovery;
}

/** Returns the faces. `stop` ends every open stream; requests in flight go on to their end. */
export function createApi({ server, auth, discovery = { issuer: "", clientId: "" } }: ApiOptions) {
  const authenticator = new Authenticator(auth, () => server.clock.now());
  const shutdown = new AbortController();
  const options = rpcOptions(server, authenticator, shutdown.signal);
  const routes = rpcRoutes(server);
  const router = createConnectRouter({ ...options, grpc: false });
  routes(router);
  const rpcHandlers = router.handlers.map((handler) => ({
    requestPath: handler.requestPath,
    handle: createFetchHandler(handler, { httpVersion: "2" }),
  }));
  const rpcPaths = new Set(rpcHandlers.map((handler) => handler.requestPath));
  const certificates = new WeakMap<object, CertificateIdentity>();
  const app = createApp({ server, authenticator, discovery, rpcHandlers, certificates, shutdown: shutdown.signal });
  const adapter = connectNodeAdapter({
    ...options,
    routes,
    contextValues: (request) => createContextValues().set(CERTIFICATE, certificates.get(request)),
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
    isRpc: (path: string): boolean => rpcPaths.has(path),
    stop: (): void => shutdown.abort(connectErrorOf(SHUTTING_DOWN)),
  };
}
