/**
 * Shows that callers without a right to anything cannot keep much: what is too large is
 * refused before it is read, and who sends a request letter by letter is hung up on, with
 * the same bounds on the port of Bun's server and on that of node's.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect } from "node:net";
import { createApi } from "../../src/api/create-api.ts";
import type { Listener } from "../../src/io/http/handlers.ts";
import { listenRest } from "../../src/io/http/rest-listener.ts";
import { listenRpc } from "../../src/io/http/rpc-listener.ts";
import { hmacVerifier } from "../../src/io/oidc/hmac-verifier.ts";
import { startTestServer, type TestServer } from "../fixtures/test-server.ts";
import { SECRET } from "../fixtures/tokens.ts";

const HOST = "127.0.0.1";
let world: TestServer;
let listeners: Record<"REST" | "gRPC", Listener>;

beforeAll(async () => {
  world = await startTestServer();
  const api = createApi({ server: world.server, auth: { verifier: hmacVerifier(SECRET, undefined) } });
  listeners = { REST: listenRest({ host: HOST, port: 0 }, api), gRPC: await listenRpc({ host: HOST, port: 0 }, api) };
});

afterAll(async () => {
  await Promise.all(Object.values(listeners).map((listener) => listener.close(0)));
  await world.stop();
});

const url = (port: "REST" | "gRPC", path: string) => `http://${HOST}:${listeners[port].port}${path}`;

test.each(["REST", "gRPC"] as const)("headers of 200 kB are refused on the %s port", async (port) => {
  const answer = fetch(url(port, "/api/v1/nodes"), { headers: { "x-large": "a".repeat(200_000) } });
  expect((await answer).status).toBe(431);
});

test.each(["REST", "gRPC"] as const)(
  "a body without an end is not read before its token is, on the %s port",
  async (port) => {
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await Bun.sleep(0);
        sent += 1_000_000;
        controller.enqueue(new Uint8Array(1_000_000));
      },
    });
    const answer = await fetch(url(port, "/api/v1/allocations"), { method: "POST", body });
    expect(answer.status).toBe(401);
    expect(sent).toBeLessThan(50_000_000);
  },
);

test.each(["REST", "gRPC"] as const)(
  "a request that comes letter by letter is hung up on, on the %s port",
  async (port) => {
    const closed = new Promise<void>((resolve) => {
      const socket = connect(listeners[port].port, HOST, () => socket.write("GET / HTTP/1.1\r\nhost: x\r\n"));
      const drip = setInterval(() => socket.write("a: b\r\n"), 1_000);
      socket.on("error", () => {});
      socket.on("close", () => {
        clearInterval(drip);
        resolve();
      });
      socket.resume();
    });
    await closed;
  },
  45_000,
);

test("a connection is kept between two requests", async () => {
  for (let i = 0; i < 3; i++) expect((await fetch(url("gRPC", "/healthz"))).status).toBe(200);
});
