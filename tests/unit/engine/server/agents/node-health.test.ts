/**
 * Shows who judges nodes when agents spread over servers, and that nothing an agent may
 * rely on is said by a server that the leader does not hear. Leadership is the test's.
 */
import { expect, test } from "bun:test";
import { millis } from "../../../../../src/base/brand.ts";
import { TELL_SIGNS } from "../../../../../src/engine/server/agents/agent-signs.ts";
import { getNode } from "../../../../../src/engine/server/operations/nodes.ts";
import { settle } from "../../../../fixtures/fake-clock.ts";
import type { FakeAgent } from "../../../../fixtures/fake-servers.ts";
import { FakeServers, nodeAt } from "../../../../fixtures/fake-servers.ts";
import { aCall } from "../../../../fixtures/test-server.ts";

async function threeServers() {
  const world = new FakeServers();
  const [a, b, c] = [1, 2, 3].map((id) => world.start(id));
  if (!a || !b || !c) throw new Error("three servers were started");
  world.group.elect(1);
  await world.clock.pass(10);
  return { world, a, b, c };
}

const healthChanges = (world: FakeServers) =>
  world.group.entries
    .map(({ data }) => new TextDecoder().decode(data))
    .filter((text) => text.includes('"set-node-health"'))
    .map((text) => JSON.parse(text).command.health);

const replies = ({ told }: FakeAgent) => told.filter((message) => message.kind === "heartbeat-reply").length;

test("an agent at a follower makes its node ready for all, at once", async () => {
  const { world, a, b, c } = await threeServers();
  await world.connect(b, "n1");
  await world.clock.pass(50);
  expect([a, b, c].map((server) => nodeAt(server, "n1")?.state)).toEqual(["ready", "ready", "ready"]);
  expect(healthChanges(world)).toEqual(["ready"]);
});

test("what an agent complains of, and its clock, are judged by the leader wherever its stream ends", async () => {
  const { world, a, b } = await threeServers();
  const agent = await world.connect(b, "n1", { clockSkewMs: 7_200_000 });
  await world.clock.pass(50);
  expect(nodeAt(a, "n1")?.reason).toBe("its clock is 7200 s ahead of the servers': set up NTP");
  agent.connection.receive({ kind: "heartbeat", sequence: 1, clock: world.clock.now(), issues: ["no disk"] });
  await world.clock.pass(50);
  expect(nodeAt(a, "n1")?.reason).toBe("no disk");
});

test("an agent that moves to another server is not missed", async () => {
  const { world, b, c } = await threeServers();
  const first = await world.connect(b, "n1");
  await world.passBeating(5_000, [first]);
  const second = await world.connect(c, "n1");
  await world.passBeating(20_000, [second]);
  first.connection.close();
  await world.passBeating(20_000, [second]);
  expect(healthChanges(world)).toEqual(["ready"]);
});

test("a silent agent is degraded after the time-out and down after the grace, also at a follower", async () => {
  const { world, a, b } = await threeServers();
  const agent = await world.connect(b, "n1");
  await world.passBeating(3_000, [agent]);
  await world.clock.pass(5_000);
  expect(nodeAt(a, "n1")).toMatchObject({ health: "degraded", reason: "no heartbeat for more than 3 s" });
  await world.clock.pass(6_000);
  expect(nodeAt(a, "n1")?.health).toBe("down");
});

test("a server that vanishes takes its agents with it, and one that came elsewhere in time is not missed", async () => {
  const { world, a, b, c } = await threeServers();
  const stays = await world.connect(b, "n1");
  const moves = await world.connect(b, "n2");
  await world.passBeating(3_000, [stays, moves]);
  b.consensus.isCut = true;
  const moved = await world.connect(c, "n2");
  await world.passBeating(15_000, [moved]);
  expect([nodeAt(a, "n1")?.health, nodeAt(a, "n2")?.health]).toEqual(["down", "ready"]);
});

test("INV-O3 a heartbeat is answered only when the leader knows of it", async () => {
  const { world, a, b } = await threeServers();
  const follower = await world.connect(b, "n1");
  const leader = await world.connect(a, "n2");
  for (const agent of [follower, leader]) agent.beat();
  await settle();
  expect([replies(follower), replies(leader)]).toEqual([0, 1]);
  await world.clock.pass(1_100);
  expect(replies(follower)).toBe(1);
  b.consensus.isCut = true;
  await world.passBeating(5_000, [follower]);
  expect(replies(follower)).toBe(1);
});

test("a new leader gives every node a fresh grace period", async () => {
  const { world, a, b } = await threeServers();
  const agent = await world.connect(a, "n1");
  await world.passBeating(3_000, [agent]);
  a.consensus.isCut = true;
  world.group.elect(2);
  await world.clock.pass(2_900);
  expect(nodeAt(b, "n1")?.health).toBe("ready");
  const moved = await world.connect(b, "n1");
  await world.passBeating(20_000, [moved]);
  expect(nodeAt(b, "n1")?.health).toBe("ready");
});

test("of two agents with one name at two servers the second is refused, the same one is not", async () => {
  const { world, b, c } = await threeServers();
  const first = await world.connect(b, "n1");
  await world.passBeating(2_000, [first]);
  const second = world.connect(c, "n1", { instanceId: "another" });
  await expect(second).rejects.toMatchObject({ fault: { reason: "ALREADY_EXISTS" } });
  expect(await world.connect(c, "n1")).toBeDefined();
});

test("a name whose agent has been silent until its node was given up is free, though its stream never ended", async () => {
  const { world, b, c } = await threeServers();
  const first = await world.connect(b, "n1");
  await world.passBeating(2_000, [first]);
  await world.clock.pass(11_000);
  expect(await world.connect(c, "n1", { instanceId: "another" })).toBeDefined();
  await world.clock.pass(50);
  expect(nodeAt(b, "n1")).toMatchObject({ instanceId: "another", health: "ready" });
});

test("two agents with one name that come in the same moment are told apart although neither is known", async () => {
  const { world, b, c } = await threeServers();
  const both = await Promise.allSettled([
    world.connect(b, "n1", { instanceId: "one" }),
    world.connect(c, "n1", { instanceId: "two" }),
  ]);
  expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
});

test("without a leader an agent is told to try again", async () => {
  const { world, b } = await threeServers();
  world.group.elect(undefined);
  await expect(world.connect(b, "n1")).rejects.toMatchObject({ fault: { reason: "NO_QUORUM" } });
});

test("any server knows when a node was last heard", async () => {
  const { world, a, b, c } = await threeServers();
  const agent = await world.connect(b, "n1");
  await world.passBeating(5_000, [agent]);
  const heard = [];
  for (const { server } of [a, b, c]) heard.push((await getNode(server, aCall(), "n1")).lastHeartbeat);
  expect(heard.map((at) => world.clock.now() - (at ?? 0) <= 2_000)).toEqual([true, true, true]);
});

test("what a lost node ran is held back from the time of the state on, though that is ahead of the leader's clock", async () => {
  const { world, a, b } = await threeServers();
  const agent = await world.connect(b, "n1");
  await world.passBeating(2_000, [agent]);
  const ahead = { kind: "drain-node", node: "n1", reason: "", at: world.clock.now() + 3_600_000, by: "system" };
  world.group.append("command", new TextEncoder().encode(JSON.stringify({ tag: "x:1", command: ahead })));
  await world.clock.pass(12_000);
  expect(nodeAt(a, "n1")?.health).toBe("down");
  const last = world.group.entries
    .map(({ data }) => new TextDecoder().decode(data))
    .findLast((t) => t.includes('"down"'));
  expect(JSON.parse(last ?? "").command.isolatedUntil).toBe(ahead.at + 10_000);
});

test("servers whose clocks are apart are named once, and again only after they agreed", async () => {
  const { world, a } = await threeServers();
  world.warnings.length = 0;
  const tell = (clock: number) => a.server.bus.ask(TELL_SIGNS, 1, { clock: millis(clock), signs: [] });
  const now = world.clock.now();
  for (const clock of [now, now + 60_000, now + 61_000, now, now - 60_000]) await tell(clock);
  expect(world.warnings).toEqual(Array(2).fill("the clocks of the servers are apart: set up NTP"));
});
