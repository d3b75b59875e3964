/** What only a workload manager has: agents that send heartbeats while people submit, a member that catches up, a restart. */
import { millis } from "../../../src/base/brand.ts";
import { nodeId } from "../../../src/core/domain/ids.ts";
import { GrpcAgentLink } from "../../../src/io/agent-link/grpc-agent-link.ts";
import { createJsonLogger } from "../../../src/io/json-logger.ts";
import type { AgentLink } from "../../../src/ports/agent-link.ts";
import type { Figure } from "../figure.ts";
import { sendOverHttp } from "../http-load.ts";
import type { LatticeQuorum } from "./lattice.ts";
import { loadWrites } from "./load.ts";

const AGENTS = 100;
const ENDED = 1_000_000;
const MEMBERS = 1_000;
const JSON_HEADERS = { "content-type": "application/json" };

/** The rate of writes with 64 clients while 100 agents send heartbeats and their nodes are planned for. */
export async function heartbeats(quorum: LatticeQuorum, seconds: number): Promise<readonly Figure[]> {
  const agents = await startAgents(quorum);
  const { perSecond, p50Ms, p99Ms } = await loadWrites(quorum, 64, seconds);
  for (const agent of agents) agent.close();
  const note = `p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(1)} ms; every node takes one job and never ends it`;
  return [{ name: `Lattice: the same with ${AGENTS} agents, 64 clients`, value: perSecond, unit: "/s", note }];
}

/** Starts agents and waits until their nodes are ready. */
export async function startAgents(quorum: LatticeQuorum): Promise<readonly AgentLink[]> {
  const agents = Array.from({ length: AGENTS }, (_, i) => startAgent(quorum, `bench-${i}`));
  await until(async () => (await readyNodes(quorum)) === AGENTS);
  return agents;
}

/** How fast a member that was away comes back: first by entries of the log, then with nothing, by a snapshot. */
export async function catchUp(quorum: LatticeQuorum): Promise<readonly Figure[]> {
  const away = ((await quorum.leader()) + 1) % 3;
  const figures: Figure[] = [];
  await quorum.kill(away);
  const end = performance.now() + 10_000;
  const before = (await statusOf(quorum, await quorum.leader())).commit_index;
  await submitUntil(quorum, () => performance.now() > end);
  const { commit_index: commit } = await statusOf(quorum, await quorum.leader());
  const begin = performance.now();
  await quorum.start(away);
  await until(async () => (await appliedOf(quorum, away)) >= commit);
  const seconds = (performance.now() - begin) / 1000;
  figures.push({
    name: "Lattice: a member catches up, its start included",
    value: (commit - before) / seconds,
    unit: "entries/s",
    note: `${commit - before} entries in ${seconds.toFixed(1)} s`,
  });
  return figures;
}

/** How long a member takes to serve again with a million ended allocations behind it. */
export async function restart(quorum: LatticeQuorum): Promise<readonly Figure[]> {
  const leader = await quorum.leader();
  const url = quorum.restUrls()[leader];
  for (let i = 0; i < ENDED / MEMBERS; i++) {
    const allocations = Array.from({ length: MEMBERS }, (_, n) => ({ name: `m${n}`, entrypoint: "true" }));
    const dag = await post(`${url}/api/v1/dags`, { tenant: "default", allocations });
    await post(`${url}/api/v1/dags/${dag.dag_id}/cancel`, {});
  }
  const member = (leader + 1) % 3;
  const { commit_index: commit } = await statusOf(quorum, leader);
  await until(async () => (await appliedOf(quorum, member)) >= commit, 300_000);
  await quorum.kill(member);
  const begin = performance.now();
  await quorum.start(member);
  await until(async () => (await fetch(`${quorum.restUrls()[member]}/readyz`)).ok);
  const value = (performance.now() - begin) / 1000;
  const name = `Lattice: restart after kill -9, ${ENDED} ended allocations`;
  return [{ name, value, unit: "s", target: { atMost: 5 } }];
}

/** An agent without a machine: it registers, sends heartbeats and takes no notice of what it should run. */
function startAgent(quorum: LatticeQuorum, name: string): AgentLink {
  const log = createJsonLogger(() => {}, "error");
  const link = new GrpcAgentLink({ endpoints: quorum.endpoints(), token: "", heartbeatIntervalMs: 0, log });
  const capacity = { cpus: 16, memoryBytes: 2 ** 36, gpuMilli: 0, gpuType: "", features: [], group: 0 };
  const registration = { nodeId: nodeId(name), instanceId: crypto.randomUUID(), agentVersion: "bench", address: "" };
  let sequence = 0;
  let timer: Timer | undefined;
  link.start({
    hello: () => ({
      registration: { ...registration, capacity },
      fence: { clusterId: "", restoreEpoch: 0, term: 0, index: 0 },
      workloads: [],
      clock: millis(Date.now()),
    }),
    onMessage(message) {
      if (message.kind !== "welcome") return;
      clearInterval(timer);
      timer = setInterval(() => {
        link.send({ kind: "heartbeat", sequence: ++sequence, clock: millis(Date.now()), issues: [] });
      }, message.heartbeatIntervalMs);
    },
    onLost: () => clearInterval(timer),
  });
  return link;
}

/** Submits at every server that is up, with so many clients each, until it is over. */
export function submitUntil(quorum: LatticeQuorum, isOver: () => boolean, clients = 16): Promise<readonly number[]> {
  const body = JSON.stringify({ tenant: "default", entrypoint: "true" });
  const alive = quorum.restUrls().filter((_, i) => quorum.isUp(i));
  return Promise.all(
    alive.map((url) => {
      const load = { port: Number(new URL(url).port), path: "/api/v1/allocations", headers: JSON_HEADERS, body };
      return sendOverHttp(load, clients, isOver);
    }),
  );
}

interface Status {
  readonly commit_index: number;
  readonly last_applied: number;
}

/** Returns how a member sees the quorum. */
export async function statusOf(quorum: LatticeQuorum, member: number): Promise<Status> {
  const response = await fetch(`${quorum.restUrls()[member]}/api/v1/raft/status`);
  return response.json();
}

/** Returns the last entry that a member has applied. */
export async function appliedOf(quorum: LatticeQuorum, member: number): Promise<number> {
  return (await statusOf(quorum, member)).last_applied;
}

async function readyNodes(quorum: LatticeQuorum): Promise<number> {
  const response = await fetch(`${quorum.restUrls()[0]}/api/v1/nodes?limit=1000`);
  const nodes: readonly { readonly state: string }[] = await response.json();
  return nodes.filter(({ state }) => state === "ready").length;
}

async function post(url: string, body: unknown): Promise<{ readonly dag_id: string }> {
  const response = await fetch(url, { method: "POST", headers: JSON_HEADERS, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response.json();
}

/** Waits until it is done. @throws Error when that takes too long. */
export async function until(isDone: () => Promise<boolean>, limitMs = 60_000): Promise<void> {
  for (const deadline = Date.now() + limitMs; Date.now() < deadline; await Bun.sleep(20)) {
    if (await isDone().catch(() => false)) return;
  }
  throw new Error("the cluster did not get there in time");
}
