/**
 * Shows that a stream ends with the credential that opened it, on every face: watches by
 * REST, Connect and gRPC, and an agent's stream. The server's clock is most of a leeway
 * ahead, so that a token ends a moment after the stream began.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { createApi } from "../../src/api/create-api.ts";
import { millis } from "../../src/base/brand.ts";
import { AgentService } from "../../src/gen/lattice/v1/agent_pb.ts";
import { AllocationService } from "../../src/gen/lattice/v1/allocations_pb.ts";
import type { Listener } from "../../src/io/http/handlers.ts";
import { listenRest } from "../../src/io/http/rest-listener.ts";
import { listenRpc } from "../../src/io/http/rpc-listener.ts";
import { jwksVerifier } from "../../src/io/oidc/jwks-verifier.ts";
import { CLOCK_LEEWAY_MS } from "../../src/io/oidc/verify-token.ts";
import { systemClock } from "../../src/io/system-clock.ts";
import { helloToProto } from "../../src/wire/assignment.ts";
import { aRegistration } from "../fixtures/builders.ts";
import { logIn, serviceToken } from "../fixtures/oidc-login.ts";
import { CLIENT_ID, TestProvider } from "../fixtures/oidc-provider.ts";
import { startTestServer, type TestServer } from "../fixtures/test-server.ts";

const HOST = "127.0.0.1";
/** A token of this many seconds is good for one or two on the server's clock. */
const TOKEN_SECONDS = 3;
const AHEAD_MS = CLOCK_LEEWAY_MS + 1_000;

const clock = { ...systemClock, now: () => millis(systemClock.now() + AHEAD_MS) };

let provider: TestProvider;
let running: TestServer;
let rest: Listener;
let rpc: Listener;
let api: ReturnType<typeof createApi>;

beforeAll(async () => {
  const accounts = { ann: { claims: { tenant: "default" } }, nightly: { claims: { lattice_role: "operator" } } };
  provider = await TestProvider.start({ flavour: "dex", accounts, tokenSeconds: TOKEN_SECONDS });
  running = await startTestServer({ clock });
  const { log } = running.server;
  const verifier = jwksVerifier({ issuer: provider.issuer, audience: CLIENT_ID, clock, log });
  api = createApi({ server: running.server, auth: { verifier } });
  rest = listenRest({ host: HOST, port: 0 }, api);
  rpc = await listenRpc({ host: HOST, port: 0 }, api);
});
afterAll(async () => {
  api.stop();
  await Promise.all([rest.close(500), rpc.close(500)]);
  await running.stop();
  provider.stop();
});

const bearing = (token: string) => ({ authorization: `Bearer ${token}` });

test("a watch by REST ends with an event that says why, and the same token opens no other", async () => {
  const headers = bearing((await logIn(provider, "ann")).access_token);
  const address = `http://${HOST}:${rest.port}/api/v1/watch`;
  const text = await (await fetch(address, { headers })).text();
  expect(text).toEndWith(
    'event: error\ndata: {"error":"the token of this stream has expired","code":"TOKEN_EXPIRED","next":"open the stream again with a fresh token"}\n\n',
  );
  const again = await fetch(address, { headers });
  expect([again.status, await again.json()]).toEqual([401, expect.objectContaining({ code: "TOKEN_EXPIRED" })]);
});

const WAYS: readonly (readonly [string, () => Transport])[] = [
  ["gRPC", () => createGrpcTransport({ baseUrl: `http://${HOST}:${rpc.port}` })],
  ["Connect", () => createConnectTransport({ baseUrl: `http://${HOST}:${rest.port}`, httpVersion: "1.1" })],
];

test.each(WAYS)("a watch by %s ends as unauthenticated", async (_, way) => {
  const headers = bearing((await logIn(provider, "ann")).access_token);
  const watch = createClient(AllocationService, way()).watch({}, { headers });
  expect(await ending(watch)).toBe("TOKEN_EXPIRED: the token of this stream has expired");
});

test("an agent's stream ends as unauthenticated", async () => {
  const headers = bearing(await serviceToken(provider));
  const fence = { clusterId: "", restoreEpoch: 0, term: 0, index: 0 };
  async function* messages() {
    yield helloToProto({ registration: aRegistration("n1"), fence, workloads: [], clock: clock.now() });
    await new Promise(() => {});
  }
  const transport = createGrpcTransport({ baseUrl: `http://${HOST}:${rpc.port}` });
  expect(await ending(createClient(AgentService, transport).connect(messages(), { headers }))).toBe(
    "TOKEN_EXPIRED: the token of this stream has expired",
  );
});

async function ending(messages: AsyncIterable<unknown>): Promise<string> {
  try {
    for await (const _ of messages);
    return "ended without a word";
  } catch (error) {
    const { metadata, rawMessage } = error as { metadata: Headers; rawMessage: string };
    return `${metadata.get("lattice-reason")}: ${rawMessage}`;
  }
}
