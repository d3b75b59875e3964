/**
 * Shows that several servers act as one: whichever is asked, and whoever leads. The log
 * below is a fake that the test leads; everything above it is real.
 */
import { expect, test } from "bun:test";
import { allocationId } from "../../../../src/core/domain/ids.ts";
import { stateHash } from "../../../../src/core/state/state.ts";
import { beginCall } from "../../../../src/engine/server/call.ts";
import {
  addMember,
  promoteMember,
  raftStatus,
  transferLeadership,
} from "../../../../src/engine/server/operations/cluster.ts";
import { explainAllocation, getAllocation } from "../../../../src/engine/server/operations/read-allocations.ts";
import { submit } from "../../../../src/engine/server/operations/submit-allocation.ts";
import { watchAllocations } from "../../../../src/engine/server/operations/watch-allocations.ts";
import type { LogRequest } from "../../../../src/ports/agent-link.ts";
import { settle } from "../../../fixtures/fake-clock.ts";
import type { FakeServer } from "../../../fixtures/fake-servers.ts";
import { FakeServers } from "../../../fixtures/fake-servers.ts";
import { aCall } from "../../../fixtures/test-server.ts";

async function threeServers() {
  const world = new FakeServers();
  const [a, b, c] = [1, 2, 3].map((id) => world.start(id));
  if (!a || !b || !c) throw new Error("three servers were started");
  world.group.elect(1);
  await world.clock.pass(10);
  return { world, a, b, c };
}

const submitAt = ({ server }: FakeServer, extra = {}, call = aCall()) =>
  submit(server, call, { kind: "single", request: { tenant: "default", entrypoint: "true", ...extra } });

const stateAt = async ({ server }: FakeServer, ref: string) => {
  const detail = await getAllocation(server, aCall(), ref);
  return detail.kind === "allocation" ? detail.allocation.state : detail.state;
};

test("INV-O2 a call at another server begins after what was acknowledged, unless it takes stale data", async () => {
  const { a, b } = await threeServers();
  b.consensus.isCut = true;
  await submitAt(a);
  b.consensus.isCut = false;
  await beginCall(b.server.replica, { ...aCall(), isStale: true }, "allocation.read");
  expect(b.server.replica.state.tables.allocations.size).toBe(0);
  const begun = beginCall(b.server.replica, aCall(), "allocation.read");
  await settle();
  b.consensus.deliver();
  await begun;
  expect(await stateAt(b, "1")).toBe("pending");
});

test("INV-O2 a submission that depends on others looks them up in the latest state", async () => {
  const { a, b } = await threeServers();
  b.consensus.isCut = true;
  await submitAt(a);
  b.consensus.isCut = false;
  const dependent = submitAt(b, { dependsOn: [{ ref: "1", condition: "success" }] });
  await settle();
  b.consensus.deliver();
  expect((await dependent).allocations[0]?.shortId as number).toBe(2);
});

test("a retry at another server under the same key gives the first allocation", async () => {
  const { world, a, b, c } = await threeServers();
  const call = { ...aCall(), idempotencyKey: "once" };
  const first = await submitAt(b, {}, call);
  a.consensus.isCut = true;
  world.group.elect(3);
  expect((await submitAt(c, {}, call)).allocations).toEqual(first.allocations);
  expect(c.server.replica.state.tables.allocations.size).toBe(1);
});

test("only the leader plans, and a new one begins at once", async () => {
  const { world, a, b } = await threeServers();
  const agent = await world.connect(b, "n1");
  await world.clock.pass(20);
  world.group.elect(undefined);
  world.group.append("noop", new Uint8Array());
  world.group.leader = 1;
  await submitAt(a);
  world.group.leader = undefined;
  await world.passBeating(3_000, [agent]);
  expect(await stateAt(a, "1")).toBe("pending");
  world.group.elect(2);
  await world.clock.pass(10);
  expect(await stateAt(a, "1")).toBe("staging");
});

test("what an agent reports while there is no leader is stored as soon as there is one", async () => {
  const { world, a, b } = await threeServers();
  const agent = await world.connect(b, "n1");
  await submitAt(a);
  await world.clock.pass(500);
  expect(await stateAt(a, "1")).toBe("staging");
  world.group.elect(undefined);
  const [work] = b.server.replica.state.tables.allocations.values();
  if (!work) throw new Error("there is work");
  const report = { allocation: work.id, attempt: 1, phase: "running" } as const;
  for (const consensus of world.group.members.values()) consensus.losesProposals = true;
  agent.connection.receive({ kind: "reports", sequence: 1, workloads: [{ ...report, phase: "ready" }] });
  agent.connection.receive({ kind: "reports", sequence: 2, workloads: [report] });
  await world.clock.pass(4_900);
  for (const consensus of world.group.members.values()) consensus.losesProposals = false;
  world.group.elect(3);
  await world.clock.pass(2_000);
  expect(await stateAt(a, "1")).toBe("running");
  const committed = agent.told.flatMap((message) => (message.kind === "reports-committed" ? message.sequence : []));
  expect(committed.slice(-2)).toEqual([1, 2]);
});

test("a server that does not lead says why something waits", async () => {
  const { world, b } = await threeServers();
  await submitAt(b);
  await world.clock.pass(1_100);
  const detail = await getAllocation(b.server, aCall(), "1");
  expect(detail.reasons).toHaveLength(1);
  expect((await explainAllocation(b.server, aCall(), "1")).position).toBe(1);
});

test("a snapshot cuts off watchers and pushes desired sets anew", async () => {
  const { world, a, b } = await threeServers();
  const agent = await world.connect(b, "n1");
  await world.clock.pass(20);
  const events = watchAllocations(b.server, aCall(), {})[Symbol.asyncIterator]();
  const next = events.next();
  next.catch(() => {});
  b.consensus.isCut = true;
  await submitAt(a);
  await world.clock.pass(500);
  expect(await stateAt(a, "1")).toBe("staging");
  await a.server.replica.flush();
  b.consensus.install(a.mirror.cut());
  await world.clock.pass(10);
  await expect(next).rejects.toMatchObject({ fault: { reason: "VERSION_CONFLICT" } });
  expect(agent.told.findLast(({ kind }) => kind === "desired")).toMatchObject({
    desired: { assignments: [{ attempt: 1 }] },
  });
  expect(stateHash(b.server.replica.state)).toBe(stateHash(a.server.replica.state));
});

test("output of a node is asked of its agent wherever its stream ends, and taken back there", async () => {
  const { world, b, c } = await threeServers();
  const agent = await world.connect(c, "n1");
  const request = aRequest("r1");
  const reader = new AbortController();
  const node = agentNode(b);
  const pieces = b.server.agents.logs.request(node, { request, signal: reader.signal })[Symbol.asyncIterator]();
  const first = pieces.next();
  await world.clock.pass(10);
  expect(agent.told.at(-1)).toEqual({ kind: "log-request", request: { ...request, uploadTo: "server-2:50051" } });
  const piece = { stream: "stdout", offset: 0, data: new Uint8Array([1]), at: world.clock.now() } as const;
  const accepted = b.server.agents.logs.accept("r1", endless(piece));
  expect((await first).value).toEqual(piece);
  await pieces.return?.(undefined);
  await accepted;
  await world.clock.pass(10);
  expect(agent.told.at(-1)).toEqual({ kind: "log-cancel", requestId: "r1" });
});

test("output of a node whose agent is nowhere is refused at once", async () => {
  const { world, b, c } = await threeServers();
  const agent = await world.connect(c, "n1");
  agent.connection.close();
  const { signal } = new AbortController();
  const pieces = b.server.agents.logs
    .request(agentNode(b), { request: aRequest("r2"), signal })
    [Symbol.asyncIterator]();
  await expect(pieces.next()).rejects.toMatchObject({ fault: { reason: "AGENT_UNREACHABLE" } });
});

test("any server tells how far each member is, and passes changes of the members on to the leader", async () => {
  const { a, b } = await threeServers();
  const status = await raftStatus(b.server, aCall());
  expect(status).toMatchObject({ self: 2, leader: 1, members: [{ lag: 0 }, { lag: 0 }, { lag: 0 }] });
  await addMember(b.server, aCall(), { id: 4, address: "server-4:9000" });
  await promoteMember(b.server, aCall(), 4);
  expect(a.consensus.changes.map(({ kind }) => kind)).toEqual(["add-learner", "promote"]);
  await transferLeadership(b.server, aCall(), 3);
  expect((await raftStatus(b.server, aCall())).leader).toBe(3);
});

test("without a leader the quorum is told as this server knows it, and cannot be changed", async () => {
  const { world, b } = await threeServers();
  world.group.elect(undefined);
  const status = await raftStatus(b.server, aCall());
  expect(status.leader).toBeUndefined();
  expect(status.members.map(({ lag }) => lag)).toEqual([undefined, 0, undefined]);
  await expect(promoteMember(b.server, aCall(), 3)).rejects.toMatchObject({ fault: { reason: "NO_QUORUM" } });
});

test("members are changed by administrators of the system only", async () => {
  const { b } = await threeServers();
  const refused = addMember(b.server, aCall({ role: "Operator" }), { id: 4, address: "server-4:9000" });
  await expect(refused).rejects.toMatchObject({ fault: { reason: "FORBIDDEN" } });
});

const aRequest = (requestId: string): LogRequest => ({
  requestId,
  allocation: allocationId("00000000-0000-4000-8000-00000000000a"),
  attempt: 1,
  streams: ["stdout"],
  offset: 0,
  length: 0,
  isFollowing: false,
  tailLines: 0,
});

const agentNode = ({ server }: FakeServer) => {
  const [node] = server.replica.state.tables.nodes.keys();
  if (!node) throw new Error("there is no node");
  return node;
};

async function* endless<T>(item: T): AsyncIterable<T> {
  for (;;) yield item;
}
