/**
 * Shows what RPC clients see through the whole stack of each protocol and both ports' ways
 * in: answers, streams, errors with their metadata, malformed messages, credentials, and an
 * agent's stream.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { createApi } from "../../src/api/create-api.ts";
import { millis } from "../../src/base/brand.ts";
import { LIMITS } from "../../src/core/domain/limits.ts";
import { AdminService } from "../../src/gen/lattice/v1/admin_pb.ts";
import { type AgentMessage, AgentService, type ServerMessage } from "../../src/gen/lattice/v1/agent_pb.ts";
import { AllocationService } from "../../src/gen/lattice/v1/allocations_pb.ts";
import { NodeService } from "../../src/gen/lattice/v1/nodes_pb.ts";
import type { Listener } from "../../src/io/http/handlers.ts";
import { listenRest } from "../../src/io/http/rest-listener.ts";
import { listenRpc } from "../../src/io/http/rpc-listener.ts";
import { hmacVerifier } from "../../src/io/oidc/hmac-verifier.ts";
import { agentMessageToProto, helloToProto } from "../../src/wire/assignment.ts";
import { aRegistration } from "../fixtures/builders.ts";
import { startTestServer, type TestServer } from "../fixtures/test-server.ts";
import { anUnsignedToken, aToken, SECRET } from "../fixtures/tokens.ts";

const HOST = "127.0.0.1";

interface Ports {
  readonly rest: Listener;
  readonly rpc: Listener;
  close(): Promise<void>;
}

async function listen(api: ReturnType<typeof createApi>): Promise<Ports> {
  const rest = listenRest({ host: HOST, port: 0 }, api);
  const rpc = await listenRpc({ host: HOST, port: 0 }, api);
  return {
    rest,
    rpc,
    async close() {
      api.stop();
      await Promise.all([rest.close(1_000), rpc.close(1_000)]);
    },
  };
}

let running: TestServer;
let open: Ports;
let guarded: Ports;
beforeAll(async () => {
  running = await startTestServer();
  open = await listen(createApi({ server: running.server, auth: {} }));
  guarded = await listen(createApi({ server: running.server, auth: { verifier: hmacVerifier(SECRET) } }));
});
afterAll(async () => {
  await Promise.all([open.close(), guarded.close()]);
  await running.stop();
});

const url = ({ port }: Listener) => `http://${HOST}:${port}`;

const WAYS: Readonly<Record<string, (ports: Ports) => Transport>> = {
  "gRPC on the gRPC port": ({ rpc }) => createGrpcTransport({ baseUrl: url(rpc) }),
  "gRPC-Web over HTTP/1.1 on the gRPC port": ({ rpc }) =>
    createGrpcWebTransport({ baseUrl: url(rpc), httpVersion: "1.1" }),
  "Connect JSON over HTTP/1.1 on the gRPC port": ({ rpc }) =>
    createConnectTransport({ baseUrl: url(rpc), httpVersion: "1.1", useBinaryFormat: false }),
  "Connect over HTTP/2 on the gRPC port": ({ rpc }) => createConnectTransport({ baseUrl: url(rpc), httpVersion: "2" }),
  "Connect JSON over HTTP/1.1 on the REST port": ({ rest }) =>
    createConnectTransport({ baseUrl: url(rest), httpVersion: "1.1", useBinaryFormat: false }),
  "Connect over HTTP/2 on the REST port": ({ rest }) =>
    createConnectTransport({ baseUrl: url(rest), httpVersion: "2" }),
  "gRPC-Web over HTTP/2 on the REST port": ({ rest }) =>
    createGrpcWebTransport({ baseUrl: url(rest), httpVersion: "2" }),
};

const work = (fields = {}) => ({
  submission: { case: "single" as const, value: { tenant: "default", entrypoint: "true", ...fields } },
});
const NEVER = { resources: { features: ["unheard-of"] } };

const failure = (attempt: Promise<unknown>) =>
  attempt.then(
    () => "no error",
    (error) => `${error.metadata.get("lattice-reason")}: ${error.rawMessage}`,
  );

describe.each(Object.entries(WAYS))("%s", (_, way) => {
  test("a submission is stored, read and listed", async () => {
    const client = createClient(AllocationService, way(open));
    const { allocationIds, shortIds } = await client.submit(work({ name: "n", tags: { a: "b" } }));
    const status = await client.get({ allocationId: String(shortIds[0]) });
    expect(status.allocationId).toBe(allocationIds[0] ?? "");
    expect(status.spec).toMatchObject({ name: "n", tenant: "default", entrypoint: "true", tags: { a: "b" } });
    expect((await client.list({ limit: 1 })).allocations).toHaveLength(1);
  });

  test("a fault comes with its code, its reason and what to do", async () => {
    const client = createClient(AllocationService, way(open));
    // In one process with its server, Bun's HTTP/2 client loses an error that ends the first request of a connection.
    await client.list({ limit: 1 });
    const missing = client.get({ allocationId: "999999" });
    expect(await failure(missing)).toBe("ALLOCATION_NOT_FOUND: there is no allocation 999999");
    expect(await missing.catch((error) => error.metadata.get("lattice-next"))).toBe(
      "list allocations with: lattice status",
    );
    expect(await failure(client.submit({}))).toStartWith("INVALID_BODY");
    expect(await failure(client.submit(work({ tenant: "" })))).toContain("tenant");
  });

  test("a watch gives changes until its reader goes", async () => {
    const client = createClient(AllocationService, way(open));
    const gone = new AbortController();
    const changes = client.watch({}, { signal: gone.signal })[Symbol.asyncIterator]();
    const first = changes.next();
    const { allocationIds } = await submitUntilSeen(client, first);
    const { value } = await first;
    expect(allocationIds).toContain(value?.allocationId ?? "");
    expect(value).toMatchObject({ eventType: "state_change", state: "pending", tenant: "default" });
    gone.abort();
    expect(changes.next()).rejects.toThrow();
  });

  test("a stream that cannot be opened says why", async () => {
    const client = createClient(AllocationService, way(open));
    const { shortIds } = await client.submit(work(NEVER));
    const logs = client.streamLogs({ allocationId: String(shortIds[0]) })[Symbol.asyncIterator]();
    expect(await failure(logs.next())).toStartWith("LOGS_NOT_AVAILABLE");
    const watch = client.watch({ allocationId: "999999" })[Symbol.asyncIterator]();
    expect(await failure(watch.next())).toStartWith("ALLOCATION_NOT_FOUND");
  });

  test("a token is asked for, and only a token says who calls", async () => {
    const client = createClient(AllocationService, way(guarded));
    const as = (token: string) => ({ headers: { authorization: `Bearer ${token}`, "x-lattice-user": "root" } });
    expect(await failure(client.list({}))).toStartWith("UNAUTHENTICATED");
    expect(await failure(client.list({}, { headers: { "x-lattice-user": "root" } }))).toStartWith("UNAUTHENTICATED");
    expect(await failure(client.list({}, as(await aToken("ann", { secret: "another" }))))).toContain("signature");
    expect(await failure(client.list({}, as(anUnsignedToken("ann"))))).toStartWith("UNAUTHENTICATED");
    expect(await failure(client.list({}, as(await aToken("ann", { expiresAt: 1 }))))).toStartWith("TOKEN_EXPIRED");
    const { shortIds } = await client.submit(work(), as(await aToken("ann")));
    const status = await client.get({ allocationId: String(shortIds[0]) }, as(await aToken("ann")));
    expect(status.user).toBe("ann");
    const stranger = as(await aToken("eve", { claims: { tenant: "default" } }));
    expect(await failure(client.cancel({ allocationId: String(shortIds[0]) }, stranger))).toStartWith("FORBIDDEN");
  });

  test("a message that is too large is refused", async () => {
    const client = createClient(AllocationService, way(open));
    const huge = client.submit(work({ entrypoint: "", script: "#".repeat(LIMITS.requestBytesMax) }));
    expect(await huge.catch((error) => error.rawMessage)).toContain("larger than");
  });
});

/** A watch that has just been asked for may not be there yet: work is submitted until it has seen some. */
async function submitUntilSeen(
  client: ReturnType<typeof createClient<typeof AllocationService>>,
  seen: Promise<unknown>,
) {
  const allocationIds: string[] = [];
  let isSeen = false;
  seen.finally(() => {
    isSeen = true;
  });
  while (!isSeen) allocationIds.push(...(await client.submit(work(NEVER))).allocationIds);
  return { allocationIds };
}

test("tenants, vClusters, nodes and the quorum answer", async () => {
  const transport = createGrpcTransport({ baseUrl: url(open.rpc) });
  const admin = createClient(AdminService, transport);
  const quota = { maxNodes: 3, gpuHoursBudget: 0 };
  expect(await admin.createTenant({ name: "geo", quota, isolationLevel: "strict" })).toMatchObject({
    tenantId: "geo",
    quota,
  });
  expect((await admin.updateTenant({ tenantId: "geo", quota: { maxNodes: 4 } })).quota?.maxNodes).toBe(4);
  expect(await failure(admin.createTenant({ name: "geo" }))).toStartWith("ALREADY_EXISTS");
  const vcluster = await admin.createVCluster({ tenantId: "geo", name: "v", nodeSharing: true });
  expect(vcluster).toMatchObject({ vclusterId: "geo/v", allowBorrowing: false, nodeSharing: true });
  const changed = await admin.updateVCluster({ vclusterId: "geo/v", allowLending: true, costWeights: { energy: 1 } });
  expect(changed).toMatchObject({ allowLending: true, nodeSharing: true, costWeights: { energy: 1, priority: 0 } });
  expect(await admin.getVClusterQueue({ vclusterId: "geo/v" })).toMatchObject({ pending: 0, running: 0, total: 0 });
  expect(await admin.getRaftStatus({})).toMatchObject({ leaderId: 1n, members: [{ role: "leader", voter: true }] });
  expect(await admin.addRaftMember({ nodeId: 3n, address: "127.0.0.1:1" })).toMatchObject({
    members: [{ nodeId: 1n }, { nodeId: 3n, role: "learner", voter: false }],
  });
  expect(await failure(admin.promoteRaftMember({ nodeId: 3n }))).toStartWith("ILLEGAL_TRANSITION");
  expect(await failure(admin.transferRaftLeadership({ nodeId: 3n }))).toStartWith("ILLEGAL_TRANSITION");
  expect((await admin.removeRaftMember({ nodeId: 3n })).members).toHaveLength(1);
  const nodes = createClient(NodeService, transport);
  expect(await nodes.health({})).toMatchObject({ status: "healthy", version: "test" });
  expect(await failure(nodes.getNode({ nodeId: "n9" }))).toStartWith("NODE_NOT_FOUND");
  expect(await failure(nodes.heartbeat({ nodeId: "n9" }))).toStartWith("NOT_SUPPORTED");
});

test.each([
  ["JSON", "application/json", "{"],
  ["JSON of the wrong type", "application/json", '{"allocationId":5}'],
  ["protobuf", "application/proto", new Uint8Array([0xff, 0xff, 0xff])],
])("malformed %s is refused with what is wrong on both ports", async (_, type, body) => {
  for (const port of [open.rest, open.rpc]) {
    const answer = await fetch(`${url(port)}/lattice.v1.AllocationService/Get`, {
      method: "POST",
      headers: { "content-type": type },
      body,
    });
    expect([answer.status, await answer.json()]).toEqual([
      400,
      expect.objectContaining({
        code: "invalid_argument",
        message: expect.stringMatching(/cannot decode|malformed message/),
      }),
    ]);
  }
});

test("an RPC that the contract does not have and a media type that no protocol has are refused", async () => {
  for (const port of [open.rest, open.rpc]) {
    const post = (path: string, type: string) =>
      fetch(`${url(port)}/lattice.v1.AllocationService/${path}`, {
        method: "POST",
        headers: { "content-type": type },
        body: "{}",
      });
    expect((await post("Fly", "application/json")).ok).toBe(false);
    expect((await post("Get", "text/plain")).ok).toBe(false);
  }
});

test("a repeat of a submission under its key gives the first outcome", async () => {
  const client = createClient(AllocationService, createGrpcTransport({ baseUrl: url(open.rpc) }));
  const headers = { "idempotency-key": "rpc-1" };
  const first = await client.submit(work(), { headers });
  expect((await client.submit(work(), { headers })).allocationIds).toEqual(first.allocationIds);
  expect(await failure(client.submit(work({ name: "other" }), { headers }))).toStartWith("IDEMPOTENCY_CONFLICT");
});

/** Messages that the test sends when it likes. */
function script<T>() {
  const waiting: T[] = [];
  let wake = () => {};
  let isOver = false;
  return {
    push(message: T) {
      waiting.push(message);
      wake();
    },
    end() {
      isOver = true;
      wake();
    },
    async *[Symbol.asyncIterator]() {
      while (!isOver || waiting.length > 0) {
        const next = waiting.shift();
        if (next !== undefined) yield next;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    },
  };
}

/** What a stream has said so far: kinds of messages, and what it first told to do; an empty set does not count. */
interface Heard {
  readonly kinds: Set<string>;
  told: readonly string[];
}

async function receiveUntil(
  answers: AsyncIterator<ServerMessage>,
  wanted: readonly string[],
  heard: Heard = { kinds: new Set(), told: [] },
): Promise<Heard> {
  while (!wanted.every((kind) => heard.kinds.has(kind))) {
    const { done, value } = await answers.next();
    if (done) throw new Error(`the stream ended before ${wanted.join(" and ")}`);
    const { message } = value;
    const told = message.case === "desired" ? message.value.assignments.map((a) => a.action) : undefined;
    if (told?.length === 0) continue;
    if (told && heard.told.length === 0) heard.told = told;
    heard.kinds.add(message.case ?? "");
  }
  return heard;
}

describe.each([
  ["gRPC on the gRPC port", ({ rpc }: Ports) => createGrpcTransport({ baseUrl: url(rpc) })],
  [
    "Connect over HTTP/2 on the REST port",
    ({ rest }: Ports) => createConnectTransport({ baseUrl: url(rest), httpVersion: "2" }),
  ],
] as const)("an agent by %s", (_, way) => {
  const hello = (node: string) =>
    helloToProto({
      registration: aRegistration(node),
      fence: { clusterId: "", restoreEpoch: 0, term: 0, index: 0 },
      workloads: [],
      clock: millis(Date.now()),
    });

  test("is welcomed, told what to run, and its heartbeats are answered", async () => {
    const client = createClient(AgentService, way(open));
    const node = `agent-${crypto.randomUUID()}`;
    const messages = script<AgentMessage>();
    messages.push(hello(node));
    await createClient(AllocationService, way(open)).submit(work());
    const answers = client.connect(messages)[Symbol.asyncIterator]();
    const seen = await receiveUntil(answers, ["welcome"]);
    messages.push(agentMessageToProto({ kind: "heartbeat", sequence: 1, clock: millis(Date.now()), issues: [] }));
    const { told } = await receiveUntil(answers, ["heartbeat", "desired"], seen);
    expect(told).toEqual(["run"]);
    messages.end();
  });

  test("is refused without a credential, with another node's, and when it does not say hello", async () => {
    const connect = async (ports: Ports, first: AgentMessage | undefined, token?: string) => {
      const messages = script<AgentMessage>();
      if (first) messages.push(first);
      messages.end();
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      return failure(
        createClient(AgentService, way(ports)).connect(messages, { headers })[Symbol.asyncIterator]().next(),
      );
    };
    expect(await connect(guarded, hello("n1"))).toStartWith("UNAUTHENTICATED");
    const bound = await aToken("agent-n1", { claims: { scope: "operator" } });
    expect(await connect(guarded, hello("n2"), bound)).toStartWith("FORBIDDEN");
    expect(await connect(guarded, hello("n2"), await aToken("ann"))).toStartWith("FORBIDDEN");
    const heartbeat = agentMessageToProto({ kind: "heartbeat", sequence: 1, clock: millis(0), issues: [] });
    expect(await connect(open, heartbeat)).toStartWith("INVALID_BODY");
    expect(await connect(open, undefined)).toStartWith("INVALID_BODY");
  });

  test("that sends output nobody asked for is told", async () => {
    const client = createClient(AgentService, way(open));
    const chunks = script<{ requestId: string }>();
    chunks.push({ requestId: "unknown" });
    chunks.end();
    expect(await failure(client.sendLogs(chunks))).toStartWith("LOGS_NOT_AVAILABLE");
  });
});
