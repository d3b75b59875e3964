/** Shows that by REST and gRPC alike a user who asks too often is told when to come again, whatever its headers say. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { createApi } from "../../src/api/create-api.ts";
import { NodeService } from "../../src/gen/lattice/v1/nodes_pb.ts";
import type { Listener } from "../../src/io/http/handlers.ts";
import { listenRpc } from "../../src/io/http/rpc-listener.ts";
import { hmacVerifier } from "../../src/io/oidc/hmac-verifier.ts";
import { startTestServer, type TestServer } from "../fixtures/test-server.ts";
import { aToken, SECRET } from "../fixtures/tokens.ts";

let world: TestServer;
let listener: Listener;

beforeAll(async () => {
  world = await startTestServer();
  const auth = { verifier: hmacVerifier(SECRET, undefined) };
  const limits = { requestsPerSecond: 1, requestBurst: 3 };
  listener = await listenRpc({ host: "127.0.0.1", port: 0 }, createApi({ server: world.server, auth, limits }));
});

afterAll(async () => {
  await listener.close(0);
  await world.stop();
});

const base = () => `http://127.0.0.1:${listener.port}`;

async function asks(subject: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  const authorization = `Bearer ${await aToken(subject)}`;
  return fetch(`${base()}/api/v1/auth/whoami`, { headers: { authorization, ...headers } });
}

test("who asks too often is told when to come again, under any name that a header gives and with any token", async () => {
  const answers: Response[] = [];
  for (let i = 0; i < 5; i++)
    answers.push(await asks("ann", { "x-user-id": `u${i}`, "x-forwarded-for": `10.0.0.${i}` }));
  expect(answers.map(({ status }) => status).slice(0, 3)).toEqual([200, 200, 200]);
  const refused = answers.at(-1);
  expect([refused?.status, refused?.headers.get("retry-after")]).toEqual([429, "1"]);
  expect(await refused?.json()).toMatchObject({ code: "RATE_LIMITED" });
  expect((await asks("bob")).status).toBe(200);
});

test("gRPC shares the limit of its user", async () => {
  const authorization = `Bearer ${await aToken("cat")}`;
  const { listNodes } = createClient(NodeService, createGrpcTransport({ baseUrl: base() }));
  const codes: (Code | undefined)[] = [];
  for (let i = 0; i < 4; i++) {
    codes.push(
      await listNodes({}, { headers: { authorization } }).then(
        () => undefined,
        (error: unknown) => ConnectError.from(error).code,
      ),
    );
  }
  expect(codes).toEqual([undefined, undefined, undefined, Code.ResourceExhausted]);
  expect((await asks("cat")).status).toBe(429);
});
