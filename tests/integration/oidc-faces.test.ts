/**
 * Shows through every face of a server that trusts an identity provider that only a good
 * bearer token lets in, whatever else a request says about its sender, and that whoever is
 * in is taken for whom the token names.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { createApi } from "../../src/api/create-api.ts";
import { LatticeError } from "../../src/core/domain/errors.ts";
import { submit } from "../../src/engine/server/operations/submit-allocation.ts";
import { createTenant } from "../../src/engine/server/operations/tenants.ts";
import { AllocationService } from "../../src/gen/lattice/v1/allocations_pb.ts";
import type { Listener } from "../../src/io/http/handlers.ts";
import { listenRest } from "../../src/io/http/rest-listener.ts";
import { listenRpc } from "../../src/io/http/rpc-listener.ts";
import { jwksVerifier } from "../../src/io/oidc/jwks-verifier.ts";
import { systemClock } from "../../src/io/system-clock.ts";
import { logIn } from "../fixtures/oidc-login.ts";
import { CLIENT_ID, TestProvider } from "../fixtures/oidc-provider.ts";
import { aCall, startTestServer, type TestServer } from "../fixtures/test-server.ts";

const HOST = "127.0.0.1";

let provider: TestProvider;
let running: TestServer;
let api: ReturnType<typeof createApi>;
let rest: Listener;
let rpc: Listener;
let token: string;
let foreign: string;
beforeAll(async () => {
  const accounts = { eve: { claims: { tenant: "law" } } };
  provider = await TestProvider.start({ flavour: "keycloak", accounts });
  running = await startTestServer();
  const { server } = running;
  for (const name of ["physics", "law"]) await createTenant(server, aCall(), { name });
  const ofAnn = aCall({ role: "User", user: "ann" as never, tenant: "physics" as never });
  const request = { tenant: "physics", entrypoint: "true" };
  foreign = (await submit(server, ofAnn, { kind: "single", request })).allocations[0]?.id ?? "";
  const { issuer } = provider;
  const verifier = jwksVerifier({ issuer, audience: CLIENT_ID, clock: systemClock, log: server.log });
  api = createApi({ server, auth: { verifier }, discovery: { issuer, clientId: CLIENT_ID } });
  rest = listenRest({ host: HOST, port: 0 }, api);
  rpc = await listenRpc({ host: HOST, port: 0 }, api);
  token = (await logIn(provider, "eve")).access_token;
});
afterAll(async () => {
  api.stop();
  await Promise.all([rest.close(500), rpc.close(500)]);
  await running.stop();
  provider.stop();
});

const url = ({ port }: Listener) => `http://${HOST}:${port}`;

const WAYS: Readonly<Record<string, () => Transport>> = {
  gRPC: () => createGrpcTransport({ baseUrl: url(rpc) }),
  "gRPC-Web": () => createGrpcWebTransport({ baseUrl: url(rest), httpVersion: "1.1" }),
  "Connect JSON": () => createConnectTransport({ baseUrl: url(rest), httpVersion: "1.1", useBinaryFormat: false }),
};

/** What callers say about themselves that counts for nothing. */
const SPOOFED: Readonly<Record<string, string>> = {
  "x-lattice-user": "root",
  "x-lattice-tenant": "physics",
  "x-lattice-role": "SystemAdmin",
  "x-user-id": "root",
  "x-forwarded-user": "root",
  "x-remote-user": "root",
  "remote-user": "root",
  "x-forwarded-for": "127.0.0.1",
  "x-forwarded-client-cert": "Hash=x;URI=spiffe://hpc/server",
  "x-auth-request-groups": "admin",
  "grpc-method": "/lattice.v1.NodeService/Health",
};

/** Credentials that are none: headers by what is tried. */
const NO_CREDENTIALS = (): Readonly<Record<string, Readonly<Record<string, string>>>> => ({
  "nothing at all": {},
  "headers that name an administrator": SPOOFED,
  "a token under another scheme": { authorization: `Basic ${token}` },
  "a token without a scheme": { authorization: token },
  "two tokens in one header": { authorization: `Bearer ${token}, Bearer ${token}` },
  "a token with something behind it": { authorization: `Bearer ${token} admin` },
  "a token in a cookie": { cookie: `authorization=Bearer ${token}; token=${token}` },
  "a token in another header": { "x-authorization": `Bearer ${token}`, "proxy-authorization": `Bearer ${token}` },
  "an empty token": { authorization: "Bearer " },
  "a token with a line folded in": { authorization: `Bearer ${token}%0d%0ax-lattice-user: root` },
});

const reasonOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => "let in",
    (error) => (error instanceof LatticeError ? error.fault.reason : error.metadata.get("lattice-reason")),
  );

describe.each(Object.entries(WAYS))("by %s", (_, way) => {
  test("no credential that is none lets in", async () => {
    const client = createClient(AllocationService, way());
    await client.list({}, { headers: { authorization: `Bearer ${token}` } });
    for (const [what, headers] of Object.entries(NO_CREDENTIALS())) {
      expect([what, await reasonOf(client.list({}, { headers }))]).toEqual([what, "UNAUTHENTICATED"]);
    }
  });

  test("headers that name another do not give another's rights", async () => {
    const client = createClient(AllocationService, way());
    const headers = { ...SPOOFED, authorization: `Bearer ${token}` };
    expect((await client.list({}, { headers })).allocations).toEqual([]);
    expect(await reasonOf(client.get({ allocationId: foreign }, { headers }))).toBe("FORBIDDEN");
    expect(await reasonOf(client.cancel({ allocationId: foreign }, { headers }))).toBe("FORBIDDEN");
  });
});

const get = (path: string, headers: Readonly<Record<string, string>>) => fetch(`${url(rest)}${path}`, { headers });

test("by REST no credential that is none lets in", async () => {
  for (const [what, headers] of Object.entries(NO_CREDENTIALS())) {
    const { status, headers: answered } = await get("/api/v1/nodes", headers);
    expect([what, status, answered.get("www-authenticate")]).toEqual([what, 401, "Bearer"]);
  }
  expect((await get(`/api/v1/nodes?access_token=${token}`, {})).status).toBe(401);
});

test("by REST headers that name another do not give another's rights", async () => {
  const headers = { ...SPOOFED, authorization: `Bearer ${token}` };
  expect(await (await get("/api/v1/auth/whoami", headers)).json()).toEqual({
    user: "eve",
    role: "User",
    tenant: "law",
    valid_until: expect.stringMatching(/^\d{4}-/),
  });
  expect((await get(`/api/v1/allocations/${foreign}`, headers)).status).toBe(403);
  expect((await get(`/api/v1/allocations/${foreign}/logs`, headers)).status).toBe(403);
});

test("where to log in is told to anyone on both ports, and nothing more than that", async () => {
  const { issuer } = provider;
  for (const port of [rest, rpc]) {
    const answer = await fetch(`${url(port)}/api/v1/auth/discovery`);
    expect([answer.status, await answer.json()]).toEqual([200, { idp_url: issuer, client_id: CLIENT_ID, issuer }]);
  }
  expect((await get("/api/v1/auth/whoami", {})).status).toBe(401);
});
