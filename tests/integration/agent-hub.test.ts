/** Agents as the server sees them: wrong clocks, two with one name, and work that was given up while they were away. */
import { afterEach, expect, test } from "bun:test";
import { millis } from "../../src/base/brand.ts";
import type { WorkloadReport } from "../../src/core/domain/assignment.ts";
import { allocationId, nodeId } from "../../src/core/domain/ids.ts";
import { openAgentSession } from "../../src/engine/server/operations/agents/agent-session.ts";
import { getNode } from "../../src/engine/server/operations/nodes.ts";
import type { Server } from "../../src/engine/server/server.ts";
import type { ServerMessage } from "../../src/ports/agent-link.ts";
import { aCall, startTestServer, type TestServer } from "../fixtures/test-server.ts";

const running: TestServer[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
});

const start = async () => {
  const started = await startTestServer();
  running.push(started);
  return started.server;
};

interface Arrival {
  readonly clusterId?: string;
  readonly instanceId?: string;
  readonly clockSkewMs?: number;
  readonly workloads?: readonly WorkloadReport[];
}

/** Connects as the agent of node n1; what it is told is collected. */
async function connect(
  server: Server,
  { clusterId = "", instanceId = "one", clockSkewMs = 0, workloads = [] }: Arrival = {},
) {
  const told: ServerMessage[] = [];
  const capacity = { cpus: 4, memoryBytes: 2 ** 33, gpuMilli: 0, gpuType: "", features: [], group: 0 };
  const registration = { nodeId: nodeId("n1"), instanceId, agentVersion: "1", address: "n1:50052", capacity };
  const hello = {
    registration,
    fence: { clusterId, restoreEpoch: 0, term: 0, index: 0 },
    workloads,
    clock: millis(server.clock.now() + clockSkewMs),
  };
  const session = { send: (message: ServerMessage) => void told.push(message), close: () => {} };
  const agent = await openAgentSession(server, aCall(), { hello, session });
  return { agent, told };
}

async function nodeBecomes(server: Server, state: string) {
  for (let i = 0; i < 200; i++) {
    const { node } = await getNode(server, aCall(), "n1");
    if (node.state === state) return node;
    await Bun.sleep(10);
  }
  throw new Error(`node n1 did not become ${state}`);
}

test("an agent with the wrong clock is not given work until its clock is right", async () => {
  const server = await start();
  const { agent } = await connect(server, { clockSkewMs: 7_200_000 });
  const node = await nodeBecomes(server, "degraded");
  expect(node.reason).toBe("its clock is 7200 s ahead of the servers': set up NTP");
  agent.receive({ kind: "heartbeat", sequence: 1, clock: server.clock.now(), issues: [] });
  expect((await nodeBecomes(server, "ready")).reason).toBe("");
});

test("a second agent with the name is refused; the same agent may come again", async () => {
  const server = await start();
  await connect(server);
  await nodeBecomes(server, "ready");
  expect(connect(server, { instanceId: "two" })).rejects.toMatchObject({ fault: { reason: "ALREADY_EXISTS" } });
  const again = await connect(server);
  expect(again.told[0]).toMatchObject({ kind: "welcome" });
});

test("a node that returns with work that was given up is not ready before that has ended", async () => {
  const server = await start();
  const stale = { allocation: allocationId("11111111-1111-4111-8111-111111111111"), attempt: 1 } as const;
  const { agent, told } = await connect(server, { workloads: [{ ...stale, phase: "running" }] });
  expect(told.find((m) => m.kind === "desired")).toMatchObject({ desired: { assignments: [] } });
  expect((await getNode(server, aCall(), "n1")).node.state).toBe("down");
  agent.receive({ kind: "reports", sequence: 7, workloads: [{ ...stale, phase: "ended", cause: "stopped" }] });
  await nodeBecomes(server, "ready");
  expect(told.find((m) => m.kind === "reports-committed" && m.sequence === 7)).toBeDefined();
});

test("an agent that belongs to another cluster is refused, and told what to do", async () => {
  const server = await start();
  const stranger = connect(server, { clusterId: "elsewhere" });
  expect(stranger).rejects.toMatchObject({ fault: { reason: "ILLEGAL_TRANSITION" } });
  await connect(server, { clusterId: "test-cluster" });
  await nodeBecomes(server, "ready");
});
