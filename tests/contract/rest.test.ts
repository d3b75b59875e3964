/** Shows what REST clients see: shapes, status numbers and headers of every kind of answer, and what becomes of bad requests. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createApi } from "../../src/api/create-api.ts";
import { LIMITS } from "../../src/core/domain/limits.ts";
import { addNode, startTestServer, type TestServer } from "../fixtures/test-server.ts";

let running: TestServer;
let api: ReturnType<typeof createApi>;
beforeAll(async () => {
  running = await startTestServer();
  api = createApi({ server: running.server, auth: {} });
  await addNode(running.server, "n1");
});
afterAll(() => running.stop());

interface Sent {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly host?: string;
}

async function send(method: string, path: string, { body, headers = {}, host = "localhost" }: Sent = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const request = new Request(`http://${host}${path}`, {
    method,
    headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
    body: body === undefined ? null : text,
  });
  const response = await api.fetch(request);
  const answer = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json") ?? false;
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(answer) : answer };
}

const get = (path: string, sent: Sent = {}) => send("GET", path, sent);
const post = (path: string, body?: unknown, headers?: Readonly<Record<string, string>>) =>
  send("POST", path, { ...(body !== undefined && { body }), ...(headers && { headers }) });

const WORK = { tenant: "default", entrypoint: "sleep 1" };

test("a submission gives its ids, and the allocation is there to read, by either id", async () => {
  const created = await post(
    "/api/v1/allocations",
    { ...WORK, name: "hello", labels: { a: "b" } },
    { "x-lattice-user": "ann" },
  );
  expect(created.status).toBe(201);
  const { allocation_id: id, allocation_ids: ids, short_id: shortId } = created.body;
  expect(ids).toEqual([id]);
  expect(created.body.warnings).toEqual([]);
  for (const ref of [id, String(shortId), `a${shortId}`, id.slice(0, 8)]) {
    const { status, body } = await get(`/api/v1/allocations/${ref}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id,
      short_id: shortId,
      tenant: "default",
      project: "",
      state: expect.any(String),
      assigned_nodes: expect.any(Array),
      user: "ann",
      name: "hello",
      labels: { a: "b" },
      entrypoint: "sleep 1",
      walltime_hours: 1,
      attempt: 1,
    });
    expect(new Date(body.created_at).toISOString()).toBe(body.created_at);
  }
});

test("an array is one entry with its counts, and its tasks are listed under it", async () => {
  const { body: created } = await post("/api/v1/allocations", { ...WORK, array: "0-9%2", name: "many" });
  expect(created.task_group_id).toBe(created.allocation_id);
  const { body } = await get(`/api/v1/allocations/${created.short_id}`);
  expect(body.task_group).toMatchObject({ total: 10, max_concurrent: 2, ranges: [{ start: 0, end: 9, step: 1 }] });
  const tasks = await get(`/api/v1/allocations?task_group_id=${created.short_id}`);
  expect(tasks.body.length).toBeGreaterThan(0);
  for (const task of tasks.body) expect(task.task_group_id).toBe(created.task_group_id);
});

test("an array of a million tasks is one entry, one more is too large", async () => {
  expect((await post("/api/v1/allocations", { ...WORK, array: "0-999999" })).status).toBe(201);
  expect(
    (await post("/api/v1/allocations", { ...WORK, array: { ranges: [{ start: 0, end: 1_000_000 }] } })).body.code,
  ).toBe("TOO_LARGE");
});

test("a workflow has its members, and cancelling it says how many ended", async () => {
  const member = (name: string) => ({ name, entrypoint: "true" });
  const created = await post("/api/v1/dags", {
    dag_id: "flow",
    tenant: "default",
    allocations: [member("a"), member("b")],
    edges: [{ from: "a", to: "b" }],
  });
  expect(created.status).toBe(201);
  expect(created.body).toMatchObject({ dag_id: "flow", allocation_ids: [expect.any(String), expect.any(String)] });
  const { body } = await get("/api/v1/dags/flow");
  expect(body.allocations.map((a: { name: string; dag_id: string }) => [a.name, a.dag_id])).toEqual([
    ["a", "flow"],
    ["b", "flow"],
  ]);
  const list = await get("/api/v1/dags");
  expect(list.body).toContainEqual(expect.objectContaining({ dag_id: "flow", allocation_count: 2 }));
  expect((await post("/api/v1/dags/flow/cancel")).body).toEqual({ success: true, cancelled_count: expect.any(Number) });
  expect((await get("/api/v1/dags/none")).body.code).toBe("DAG_NOT_FOUND");
});

test("a list is an array, newest first, page by page", async () => {
  for (const name of ["p1", "p2", "p3"]) await post("/api/v1/allocations", { ...WORK, name, project: "paged" });
  const names: string[] = [];
  let cursor = "";
  for (let pages = 0; pages < 3; pages++) {
    const page = await get(`/api/v1/allocations?limit=1&cursor=${cursor}`);
    expect(page.body).toHaveLength(1);
    names.push(page.body[0].name);
    cursor = page.headers.get("x-next-cursor") ?? "";
  }
  expect(names).toEqual(["p3", "p2", "p1"]);
  const all = await get("/api/v1/allocations?name=p2&state=pending,running,staging");
  expect(all.body).toHaveLength(1);
  expect(all.headers.get("x-next-cursor")).toBeNull();
});

test("the text of a script is shown for one allocation and left out of lists", async () => {
  const { body: created } = await post("/api/v1/allocations", {
    tenant: "default",
    script: "#!/bin/sh\ntrue\n",
    name: "scripted",
  });
  expect((await get(`/api/v1/allocations/${created.short_id}`)).body.script).toBe("#!/bin/sh\ntrue\n");
  const [listed] = (await get("/api/v1/allocations?name=scripted")).body;
  expect(Object.hasOwn(listed, "script")).toBe(false);
});

test("a walltime is changed, an allocation cancelled by either way, a wait explained", async () => {
  const { body: created } = await post("/api/v1/allocations", { ...WORK, features: ["unheard-of"] });
  const path = `/api/v1/allocations/${created.short_id}`;
  expect((await send("PATCH", path, { body: { walltime_hours: 2 } })).body.walltime_seconds).toBe(7200);
  expect((await send("PATCH", path, { body: {} })).body.code).toBe("INVALID_SPEC");
  expect((await send("PATCH", path, { body: { telemetry_mode: "debug" } })).status).toBe(501);
  const { body: explained } = await get(`${path}/explain`);
  expect(explained).toMatchObject({
    allocation_id: created.allocation_id,
    state: "pending",
    position: expect.any(Number),
  });
  expect((await post(`${path}/cancel`)).body).toEqual({ success: true });
  const { body: other } = await post("/api/v1/allocations", { ...WORK, features: ["unheard-of"] });
  expect((await send("DELETE", `/api/v1/allocations/${other.short_id}`)).body).toEqual({ success: true });
});

test("a repeat under the same key gives the first outcome, another request under it conflicts", async () => {
  const key = { "idempotency-key": "k1" };
  const first = await post("/api/v1/allocations", WORK, key);
  expect((await post("/api/v1/allocations", WORK, key)).body.allocation_id).toBe(first.body.allocation_id);
  const other = await post("/api/v1/allocations", { ...WORK, name: "other" }, key);
  expect([other.status, other.body.code]).toEqual([409, "IDEMPOTENCY_CONFLICT"]);
});

test("nodes, tenants, vClusters and the quorum show their known fields", async () => {
  expect((await get("/api/v1/nodes/n1")).body).toMatchObject({
    id: "n1",
    cpu_cores: 4,
    memory_gb: 8,
    gpu_count: 0,
    agent_address: "n1:50052",
  });
  expect((await post("/api/v1/nodes/n1/drain", { reason: "r" })).body).toEqual({
    success: true,
    active_allocations: expect.any(Number),
  });
  expect((await get("/api/v1/nodes/n1")).body.drain_reason).toBe("r");
  expect((await get("/api/v1/nodes?state=ready")).body).toEqual([]);
  const tenant = await post("/api/v1/tenants", {
    name: "bio",
    max_nodes: 7,
    gpu_hours_budget: 3.5,
    isolation_level: "strict",
  });
  expect([tenant.status, tenant.body]).toMatchObject([
    201,
    { id: "bio", max_nodes: 7, gpu_hours_budget: 3.5, isolation_level: "strict" },
  ]);
  expect((await send("PUT", "/api/v1/tenants/bio", { body: { max_nodes: 0 } })).body.max_nodes).toBe(0);
  expect((await post("/api/v1/tenants", { name: "bio" })).status).toBe(409);
  const vcluster = await post("/api/v1/vclusters", {
    tenant_id: "bio",
    name: "v",
    cost_weights: { energy: 0.5 },
    node_sharing: true,
  });
  expect(vcluster.body).toMatchObject({
    id: "bio/v",
    tenant_id: "bio",
    scheduler_type: "hpc_backfill",
    node_sharing: true,
  });
  for (const id of ["bio%2Fv", "bio--v"])
    expect((await get(`/api/v1/vclusters/${id}`)).body.cost_weights.energy).toBe(0.5);
  expect((await send("PUT", "/api/v1/vclusters/bio--v", { body: { allow_lending: false } })).body.allow_lending).toBe(
    false,
  );
  expect((await get("/api/v1/vclusters/default/queue")).body).toBeArray();
  expect((await get("/api/v1/raft/status")).body).toMatchObject({
    available: true,
    leader: "1",
    members: [{ role: "leader" }],
  });
});

test("the quorum's members are added, promoted and removed, and each answer shows who belongs to it", async () => {
  const added = await post("/api/v1/raft/members", { node_id: 2, address: "127.0.0.1:1" });
  expect(added.status).toBe(200);
  expect(added.body.members).toMatchObject([
    { node_id: 1, role: "leader", voter: true, lag: 0 },
    { node_id: 2, role: "learner", voter: false, address: "127.0.0.1:1", last_contact_ms: null },
  ]);
  const early = await post("/api/v1/raft/members/2/promote");
  expect([early.status, early.body.code]).toEqual([409, "ILLEGAL_TRANSITION"]);
  expect(early.body.next).toContain("lattice admin raft status");
  const learner = await post("/api/v1/raft/transfer", { node_id: 2 });
  expect([learner.status, learner.body.code]).toEqual([409, "ILLEGAL_TRANSITION"]);
  const removed = await send("DELETE", "/api/v1/raft/members/2");
  expect([removed.status, removed.body.members.length]).toEqual([200, 1]);
});

test("stale data is given on request; another consistency is refused", async () => {
  const read = (consistency: string) => get("/api/v1/nodes/n1", { headers: { "x-lattice-consistency": consistency } });
  expect((await read("stale")).status).toBe(200);
  expect((await read("linearizable")).status).toBe(200);
  const wrong = await read("eventually");
  expect([wrong.status, wrong.body.code]).toEqual([400, "MALFORMED"]);
});

test("what needs no credential: life, readiness, discovery, the API document", async () => {
  expect((await get("/healthz")).body).toBe("ok");
  expect((await send("HEAD", "/healthz")).status).toBe(200);
  expect((await get("/readyz")).status).toBe(200);
  expect((await get("/api/v1/auth/discovery")).body).toEqual({ idp_url: "", client_id: "", issuer: "" });
  expect((await get("/openapi")).body.openapi).toStartWith("3.");
  const issuer = "https://idp.example.com";
  const known = createApi({ server: running.server, auth: {}, discovery: { issuer, clientId: "lattice" } });
  const answer = await known.fetch(new Request("http://localhost/api/v1/auth/discovery"));
  expect(await answer.json()).toEqual({ idp_url: issuer, client_id: "lattice", issuer });
});

test.each([
  ["a body that is no JSON", "POST", "/api/v1/allocations", "{", 400, "MALFORMED"],
  ["a missing tenant", "POST", "/api/v1/allocations", { entrypoint: "true" }, 422, "INVALID_BODY"],
  ["a missing entrypoint", "POST", "/api/v1/allocations", { tenant: "default" }, 422, "INVALID_BODY"],
  ["a wrong type", "POST", "/api/v1/allocations", { ...WORK, nodes: "two" }, 422, "INVALID_BODY"],
  ["a number as text", "POST", "/api/v1/allocations", { ...WORK, nodes: "2" }, 422, "INVALID_BODY"],
  ["half a node", "POST", "/api/v1/allocations", { ...WORK, nodes: 1.5 }, 422, "INVALID_BODY"],
  ["no node at all", "POST", "/api/v1/allocations", { ...WORK, nodes: 0 }, 400, "INVALID_SPEC"],
  ["fewer than no nodes", "POST", "/api/v1/allocations", { ...WORK, nodes: -1 }, 400, "INVALID_SPEC"],
  ["an absurd number", "POST", "/api/v1/allocations", { ...WORK, nodes: 1e300 }, 400, "INVALID_SPEC"],
  ["less than no time", "POST", "/api/v1/allocations", { ...WORK, walltime_hours: -1 }, 400, "INVALID_SPEC"],
  ["endless time", "POST", "/api/v1/allocations", { ...WORK, walltime_hours: 1e300 }, 400, "INVALID_SPEC"],
  ["an unknown lifecycle", "POST", "/api/v1/allocations", { ...WORK, lifecycle: "eternal" }, 400, "INVALID_SPEC"],
  ["an unknown tenant", "POST", "/api/v1/allocations", { ...WORK, tenant: "nobody" }, 404, "TENANT_NOT_FOUND"],
  ["a cycle", "POST", "/api/v1/dags", cyclic(), 400, "DAG_CYCLE"],
  ["an unknown query parameter", "GET", "/api/v1/allocations?stat=running", undefined, 400, "INVALID_SPEC"],
  ["an unknown number", "GET", "/api/v1/allocations/999999", undefined, 404, "ALLOCATION_NOT_FOUND"],
  ["no id at all", "GET", "/api/v1/allocations/!", undefined, 400, "INVALID_SPEC"],
  ["a broken escape", "GET", "/api/v1/nodes/%E0%A4%A", undefined, 404, "NODE_NOT_FOUND"],
  ["an unknown node", "POST", "/api/v1/nodes/n9/drain", undefined, 404, "NODE_NOT_FOUND"],
  ["an unknown tenant to read", "GET", "/api/v1/tenants/t9", undefined, 404, "TENANT_NOT_FOUND"],
  ["an unknown vCluster", "GET", "/api/v1/vclusters/v9", undefined, 404, "VCLUSTER_NOT_FOUND"],
  ["an unknown state", "GET", "/api/v1/allocations?state=asleep", undefined, 400, "INVALID_SPEC"],
  ["a page that is no number", "GET", "/api/v1/allocations?limit=many", undefined, 400, "INVALID_SPEC"],
  ["too large a page", "GET", "/api/v1/nodes?limit=1001", undefined, 400, "INVALID_SPEC"],
  ["a cursor of nowhere", "GET", "/api/v1/allocations?cursor=x", undefined, 400, "INVALID_CURSOR"],
  ["an unknown log format", "GET", "/api/v1/allocations/1/logs?format=xml", undefined, 400, "INVALID_SPEC"],
  ["a member without an address", "POST", "/api/v1/raft/members", { node_id: 2 }, 422, "INVALID_BODY"],
  ["no address of a member", "POST", "/api/v1/raft/members", { node_id: 2, address: "b" }, 400, "INVALID_SPEC"],
  ["no number of a member", "DELETE", "/api/v1/raft/members/two", undefined, 400, "INVALID_SPEC"],
  ["an unknown member", "DELETE", "/api/v1/raft/members/9", undefined, 409, "ILLEGAL_TRANSITION"],
  ["a path that is none", "GET", "/api/v2/allocations", undefined, 404, "ROUTE_NOT_FOUND"],
  ["a method that is none", "PUT", "/api/v1/allocations/1", {}, 405, "METHOD_NOT_ALLOWED"],
  ["a later capability", "GET", "/api/v1/services", undefined, 501, "NOT_SUPPORTED"],
] as const)("%s is told", async (_, method, path, body, status, code) => {
  const answer = await send(method, path, body === undefined ? {} : { body });
  expect([answer.status, answer.body.code]).toEqual([status, code]);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(answer.body).toMatchObject({ status, error: expect.any(String), next: expect.any(String) });
  expect(answer.body.request_id).toBe(answer.headers.get("x-request-id"));
});

function cyclic() {
  const member = (name: string) => ({ name, entrypoint: "true" });
  const edges = [
    { from: "a", to: "b" },
    { from: "b", to: "a" },
  ];
  return { tenant: "default", allocations: [member("a"), member("b")], edges };
}

test("an oversized request, an oversized script and another media type are told", async () => {
  const large = await post("/api/v1/allocations", { ...WORK, script: "#".repeat(LIMITS.requestBytesMax) });
  expect([large.status, large.body.code]).toEqual([413, "TOO_LARGE"]);
  const script = await post("/api/v1/allocations", {
    tenant: "default",
    script: `#!/bin/sh\n${"#".repeat(LIMITS.scriptBytesMax)}`,
  });
  expect([script.status, script.body.code]).toEqual([413, "TOO_LARGE"]);
  const yaml = await send("POST", "/api/v1/allocations", {
    body: "tenant: x",
    headers: { "content-type": "application/yaml" },
  });
  expect([yaml.status, yaml.body.code]).toEqual([415, "UNSUPPORTED_MEDIA_TYPE"]);
});

test("a wrong method is told which ones there are", async () => {
  const { headers } = await send("PUT", "/api/v1/allocations", { body: {} });
  expect(headers.get("allow")).toBe("POST, GET");
});

test("a short host name is no part of the path", async () => {
  for (const host of ["n1", "x", "abc:8080", "[::1]:8080"]) {
    expect((await get("/api/v1/allocations", { host })).status).toBe(200);
    expect((await get("/api/v1/nodes/n1", { host })).status).toBe(200);
  }
});

test("the request id of the caller comes back, another is made where there is none", async () => {
  expect((await get("/api/v1/nodes", { headers: { "x-request-id": "mine-1" } })).headers.get("x-request-id")).toBe(
    "mine-1",
  );
  expect((await get("/api/v1/nodes")).headers.get("x-request-id")).toHaveLength(36);
});

test("output that does not exist is an error, not an empty stream", async () => {
  const { body: created } = await post("/api/v1/allocations", { ...WORK, features: ["unheard-of"] });
  for (const query of ["", "?format=raw"]) {
    const { status, body } = await get(`/api/v1/allocations/${created.short_id}/logs${query}`);
    expect([status, body.code]).toEqual([404, "LOGS_NOT_AVAILABLE"]);
  }
});

test("a watch sends each change as it is stored", async () => {
  const gone = new AbortController();
  const response = await api.fetch(new Request("http://localhost/api/v1/watch", { signal: gone.signal }));
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const { body: created } = await post("/api/v1/allocations", { ...WORK, features: ["unheard-of"] });
  const reader = response.body?.getReader();
  let text = "";
  while (reader && !text.includes("data:")) text += new TextDecoder().decode((await reader.read()).value);
  expect(text).toMatch(/event: state_change\nid: \d+\ndata: /);
  expect(JSON.parse(/data: (.*)\n/.exec(text)?.[1] ?? "")).toMatchObject({
    allocation_id: created.allocation_id,
    old_state: null,
    new_state: "pending",
  });
  gone.abort();
  await reader?.cancel();
});

test("a server that stops ends its watches and says why", async () => {
  const stopping = createApi({ server: running.server, auth: {} });
  const response = await stopping.fetch(new Request("http://localhost/api/v1/watch"));
  stopping.stop();
  expect(await response.text()).toContain('"code":"SHUTTING_DOWN"');
});
