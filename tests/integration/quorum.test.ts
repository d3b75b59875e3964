/**
 * Three whole servers in one process, over the real raft driver: what clients and agents see
 * when they may ask any of them, when the leader dies, and when members come late or are
 * replaced.
 */
import { expect, test } from "bun:test";
import { millis } from "../../src/base/brand.ts";
import { nodeId } from "../../src/core/domain/ids.ts";
import { stateHash } from "../../src/core/state/state.ts";
import type { Call } from "../../src/engine/server/call.ts";
import { beginCall } from "../../src/engine/server/call.ts";
import { openAgentSession } from "../../src/engine/server/operations/agents/agent-session.ts";
import { cancelAllocation } from "../../src/engine/server/operations/change-allocation.ts";
import {
  addMember,
  promoteMember,
  raftStatus,
  readiness,
  removeMember,
  transferLeadership,
} from "../../src/engine/server/operations/cluster.ts";
import { getNode } from "../../src/engine/server/operations/nodes.ts";
import { getAllocation, listAllocations } from "../../src/engine/server/operations/read-allocations.ts";
import { readLogs } from "../../src/engine/server/operations/read-logs.ts";
import { submit } from "../../src/engine/server/operations/submit-allocation.ts";
import { watchAllocations } from "../../src/engine/server/operations/watch-allocations.ts";
import type { ServerMessage } from "../../src/ports/agent-link.ts";
import type { ClusterMember } from "../fixtures/test-cluster.ts";
import { TestCluster } from "../fixtures/test-cluster.ts";
import { aCall } from "../fixtures/test-server.ts";

const REQUEST = { tenant: "default", entrypoint: "true" };

const submitAt = ({ server }: ClusterMember, request = {}, call = aCall()) =>
  submit(server, call, { kind: "single", request: { ...REQUEST, ...request } });

/** Reads as a face does: the call begins, then the operation. */
async function stateAt({ server }: ClusterMember, ref: string, call: Call = aCall()): Promise<string> {
  await beginCall(server.replica, call, "allocation.read");
  const detail = await getAllocation(server, call, ref);
  return detail.kind === "allocation" ? detail.allocation.state : detail.state;
}

/** Connects as the agent of a node, which reports that everything runs at once. */
async function connect({ server }: ClusterMember, node: string) {
  const told: ServerMessage[] = [];
  const capacity = { cpus: 4, memoryBytes: 2 ** 33, gpuMilli: 0, gpuType: "", features: [], group: 0 };
  const registration = { nodeId: nodeId(node), instanceId: `i-${node}`, agentVersion: "1", address: "", capacity };
  const fence = { clusterId: "", restoreEpoch: 0, term: 0, index: 0 };
  const hello = { registration, fence, workloads: [], clock: server.clock.now() };
  const session = { send: (message: ServerMessage) => void told.push(message), close: () => clearInterval(beats) };
  const agent = await openAgentSession(server, aCall(), { hello, session });
  let sequence = 0;
  const beat = () => agent.receive({ kind: "heartbeat", sequence: ++sequence, clock: server.clock.now(), issues: [] });
  const beats = setInterval(beat, 500);
  beats.unref();
  return { agent, told, server };
}

const assignments = (told: readonly ServerMessage[]) =>
  told.findLast((message) => message.kind === "desired")?.desired.assignments ?? [];

async function* lines(text: string) {
  yield { stream: "stdout" as const, offset: 0, data: new TextEncoder().encode(text), at: millis(0) };
}

const hashes = (cluster: TestCluster) =>
  new Set(
    [...cluster.members.values()].map(({ server }) => `${server.replica.applied} ${stateHash(server.replica.state)}`),
  );

test("what one server acknowledged is read at the others at once, and all end in the same state", async () => {
  await using cluster = new TestCluster();
  const [a, b] = await cluster.followers();
  if (!a || !b) throw new Error("two servers follow");
  for (let i = 1; i <= 20; i++) {
    await submitAt(i % 2 === 0 ? a : b);
    expect(await stateAt(i % 2 === 0 ? b : a, String(i))).toBe("pending");
  }
  await cancelAllocation(a.server, aCall(), "7");
  expect(await stateAt(await cluster.leader(), "7")).toBe("cancelled");
  await cluster.until(() => hashes(cluster).size === 1);
  for (const { server } of cluster.members.values())
    expect(await readiness(server)).toEqual({ isReady: true, detail: "ok" });
}, 30_000);

test("the leader dies: a retry under the same key at another server gives one allocation", async () => {
  await using cluster = new TestCluster();
  const leader = await cluster.leader();
  const [survivor] = await cluster.followers();
  if (!survivor) throw new Error("somebody follows");
  const call = { ...aCall(), idempotencyKey: "once" };
  await submitAt(survivor, { name: "before" });
  const first = submitAt(survivor, { name: "once" }, call).catch((error: unknown) => error);
  await cluster.kill(leader.id);
  await first;
  let last: unknown;
  await cluster.until(async () => {
    last = await submitAt(survivor, { name: "once" }, call).catch((error: unknown) => error);
    return !(last instanceof Error);
  });
  expect(await submitAt(survivor, { name: "once" }, call)).toEqual(last as never);
  const { items } = await listAllocations(survivor.server, aCall(), { filter: {}, page: { limit: 10, cursor: "" } });
  expect(items).toHaveLength(2);
  cluster.restart(leader);
  await cluster.leader();
  await cluster.until(() => hashes(cluster).size === 1);
}, 30_000);

test("agents at followers get work, their reports count, and their nodes are judged", async () => {
  await using cluster = new TestCluster();
  const [a, b] = await cluster.followers();
  if (!a || !b) throw new Error("two servers follow");
  const n1 = await connect(a, "n1");
  const n2 = await connect(b, "n2");
  const isReady = async (node: string) => (await getNode(b.server, aCall(), node)).node.state === "ready";
  await cluster.until(async () => (await isReady("n1")) && (await isReady("n2")));
  await submitAt(b, { nodesMin: 2, nodesMax: 2 });
  await cluster.until(() => assignments(n1.told).length === 1 && assignments(n2.told).length === 1);
  for (const { agent, told } of [n1, n2]) {
    const workloads = assignments(told).map(
      ({ allocation, attempt }) => ({ allocation, attempt, phase: "running" }) as const,
    );
    agent.receive({ kind: "reports", sequence: 1, workloads });
  }
  await cluster.until(async () => (await stateAt(await cluster.leader(), "1")) === "running");
  await cluster.until(() => n1.told.some((message) => message.kind === "heartbeat-reply"));
  n1.agent.close();
  await cluster.until(async () => (await getNode(b.server, aCall(), "n1")).node.state === "degraded");
}, 30_000);

test("INV-O3 a server that is cut off answers no heartbeat, and its agent is taken in elsewhere without a gap", async () => {
  await using cluster = new TestCluster();
  const leader = await cluster.leader();
  const [a, b] = await cluster.followers();
  if (!a || !b) throw new Error("two servers follow");
  const lost = await connect(a, "n1");
  await cluster.until(async () => (await getNode(leader.server, aCall(), "n1")).node.state === "ready");
  cluster.network.isolate(a.id);
  await cluster.until(() => a.server.replica.status.leader === undefined);
  const { length } = lost.told;
  const found = await connect(b, "n1");
  await Bun.sleep(2_000);
  expect(lost.told.slice(length)).toEqual([]);
  expect(found.told.some((message) => message.kind === "heartbeat-reply")).toBe(true);
  expect((await getNode(leader.server, aCall(), "n1")).node.state).toBe("ready");
  await expect(stateAt(a, "1")).rejects.toMatchObject({ fault: { reason: "NO_QUORUM" } });
  await expect(stateAt(a, "1", { ...aCall(), isStale: true })).rejects.toMatchObject({
    fault: { reason: "ALLOCATION_NOT_FOUND" },
  });
  cluster.network.heal();
  await cluster.until(
    async () => (await stateAt(a, "1").catch((error) => error.fault.reason)) === "ALLOCATION_NOT_FOUND",
  );
}, 30_000);

test("output is read at any server, and uploaded to it by the agent wherever that is connected", async () => {
  await using cluster = new TestCluster();
  const [a, b] = await cluster.followers();
  if (!a || !b) throw new Error("two servers follow");
  const { agent, told } = await connect(a, "n1");
  await submitAt(b);
  await cluster.until(() => assignments(told).length === 1);
  const [work] = assignments(told);
  if (!work) throw new Error("there is work");
  agent.receive({ kind: "reports", sequence: 1, workloads: [{ ...work, phase: "running" }] });
  await cluster.until(async () => (await stateAt(b, "1")) === "running");
  const query = {
    ref: "1",
    streams: ["stdout"],
    node: "",
    attempt: 0,
    offset: 0,
    length: 0,
    isFollowing: false,
    tailLines: 0,
  } as const;
  const read = Array.fromAsync(readLogs(b.server, aCall(), query));
  await cluster.until(() => told.some((message) => message.kind === "log-request"));
  const asked = told.find((message) => message.kind === "log-request")?.request;
  expect(asked?.uploadTo).toBe(`server-${b.id}:50051`);
  await b.server.agents.logs.accept(asked?.requestId ?? "", lines("out\n"));
  expect((await read).map(({ data }) => new TextDecoder().decode(data))).toEqual(["out\n"]);
}, 30_000);

test("any server tells how each member is, and hands leadership over", async () => {
  await using cluster = new TestCluster();
  const leader = await cluster.leader();
  const [a] = await cluster.followers();
  if (!a) throw new Error("somebody follows");
  await submitAt(a);
  const status = await raftStatus(a.server, aCall());
  expect(status).toMatchObject({ self: a.id, leader: leader.id });
  expect(status.members.map(({ role }) => role).toSorted()).toEqual(["follower", "follower", "leader"]);
  expect(status.members.every(({ lag, lastContactMs }) => lag !== undefined && (lastContactMs ?? 9e9) < 5_000)).toBe(
    true,
  );
  await transferLeadership(a.server, aCall(), a.id);
  expect((await cluster.leader()).id).toBe(a.id);
  await submitAt(leader);
}, 30_000);

test("a server that is stopped lets another lead first: nobody waits for an election", async () => {
  await using cluster = new TestCluster();
  const leader = await cluster.leader();
  const [a] = await cluster.followers();
  if (!a) throw new Error("somebody follows");
  await submitAt(a);
  await cluster.stop(leader.id);
  expect(a.server.replica.status.leader).not.toBe(leader.id);
  expect((await submitAt(a)).allocations).toHaveLength(1);
}, 30_000);

test("a dead member is replaced by one with a late start, which gets the state as a snapshot", async () => {
  await using cluster = new TestCluster(3, { snapshotThreshold: 50 });
  const leader = await cluster.leader();
  const [a, b] = await cluster.followers();
  if (!a || !b) throw new Error("two servers follow");
  await cluster.kill(b.id);
  for (let i = 0; i < 300; i++) await submitAt(a, { name: `work-${i}` });
  await cluster.until(() => leader.store.load().shape.compactedIndex > 100);
  const { membersAt } = await raftStatus(a.server, aCall());
  await removeMember(a.server, aCall(), { id: b.id, seenAt: membersAt });
  const repeated = await removeMember(a.server, aCall(), { id: b.id, seenAt: membersAt }).catch(
    (error: unknown) => error,
  );
  expect(repeated).toMatchObject({ fault: { reason: "ILLEGAL_TRANSITION" } });
  await addMember(a.server, aCall(), { id: 4, address: "server-4:9000" });
  const early = await promoteMember(a.server, aCall(), 4).catch((error: unknown) => error);
  expect(early).toMatchObject({
    fault: { reason: "ILLEGAL_TRANSITION", message: "server 4 at server-4:9000 has not been heard" },
  });
  cluster.start(4);
  await cluster.until(() => cluster.member(4).server.replica.applied >= 300);
  await cluster.until(async () => {
    const promoted = await promoteMember(a.server, aCall(), 4).then(
      () => true,
      (error) => error.fault.message,
    );
    return promoted === true;
  });
  const late = cluster.member(4);
  expect(await stateAt(late, "300")).toBe("pending");
  await submitAt(late);
  await cluster.until(() => hashes(cluster).size === 1);
  expect((await raftStatus(late.server, aCall())).members.map(({ id, role }) => [id, role === "learner"])).toEqual(
    [leader.id, a.id, 4].toSorted().map((id) => [id, false]),
  );
}, 60_000);

test("a watch at a follower sees changes that others make, in order", async () => {
  await using cluster = new TestCluster();
  const [a, b] = await cluster.followers();
  if (!a || !b) throw new Error("two servers follow");
  await beginCall(a.server.replica, aCall(), "allocation.watch");
  const events = watchAllocations(a.server, aCall(), {})[Symbol.asyncIterator]();
  const first = events.next();
  for (let i = 1; i <= 3; i++) await submitAt(b);
  const seen = [await first, await events.next(), await events.next()];
  expect(seen.map(({ value }) => value?.shortId)).toEqual([1, 2, 3]);
}, 30_000);

test("without a majority nothing is acknowledged, and afterwards everything goes on", async () => {
  await using cluster = new TestCluster();
  const leader = await cluster.leader();
  const dead = await cluster.followers();
  await submitAt(leader);
  for (const { id } of dead) await cluster.kill(id);
  await expect(submitAt(leader)).rejects.toMatchObject({ fault: { reason: "NO_QUORUM" } });
  expect((await raftStatus(leader.server, aCall())).leader).toBeUndefined();
  for (const member of dead) cluster.restart(member);
  await cluster.leader();
  expect(await stateAt(cluster.member(dead[0]?.id ?? 0), "1")).toBe("pending");
  await cluster.until(() => hashes(cluster).size === 1);
}, 30_000);
