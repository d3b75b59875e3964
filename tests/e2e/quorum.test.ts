/**
 * Three servers of the built binaries, run as the operator's page says: bootstrap and join,
 * work through any server, leaders killed and frozen under load, a second --bootstrap, an
 * emptied data directory and its replacement, a planned change of the leader.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./cluster.ts";
import { QuorumCluster } from "./quorum-cluster.ts";
import { differences, startLoad } from "./quorum-load.ts";

let cluster: QuorumCluster;
beforeAll(async () => {
  cluster = await QuorumCluster.start();
  await cluster.startAgent("n1");
}, 60_000);
afterAll(() => cluster.stop());

const othersThan = (id: number) => cluster.ids.filter((other) => other !== id);

test("one server is bootstrapped, the others join: all name the same leader, term and members", async () => {
  const leader = await cluster.leader();
  const all = await Promise.all(cluster.ids.map((id) => cluster.status(id)));
  expect(all.map((s) => s.self_id)).toEqual([1, 2, 3]);
  for (const status of all) {
    expect(status.leader_id).toBe(leader);
    expect(status.members.map((m) => [m.node_id, m.address])).toEqual(
      cluster.ids.map((id) => [id, cluster.raftAddress(id)]),
    );
    expect(status.members.map((m) => m.role)).toEqual(cluster.ids.map((id) => (id === leader ? "leader" : "follower")));
  }
  await cluster.agree();
});

test("every server takes work, shows its state and its output, and the work ran once", async () => {
  const runs = join(cluster.dir, "runs");
  mkdirSync(runs);
  for (const at of cluster.ids) {
    const entrypoint = `echo "said at ${at}"; echo ran >> ${runs}/${at}`;
    const ref = await cluster.submit(at, { name: `at-${at}`, entrypoint });
    for (const other of cluster.ids) {
      await cluster.reaches(other, ref, "completed");
      const shown = await cluster.cli(["logs", ref], [cluster.url(other)]);
      expect([other, shown.stdout, shown.stderr]).toEqual([other, `said at ${at}\n`, ""]);
    }
    expect(readFileSync(join(runs, String(at)), "utf8")).toBe("ran\n");
  }
});

test("what one server has acknowledged, any other shows at once", async () => {
  for (let n = 0; n < 20; n++) {
    const [writer = 1, reader = 2] = [cluster.ids[n % 3], cluster.ids[(n + 1) % 3]];
    const ref = await cluster.submit(writer, { name: `seen-${n}`, entrypoint: "true" });
    expect((await cluster.request(reader, "GET", `/api/v1/allocations/${ref}`)).status).toBe(200);
  }
});

test("INV-O1 kill -9 of the leader under load loses nothing that was acknowledged and repeats nothing", async () => {
  const load = startLoad(cluster, { tag: "killed" });
  for (let round = 0; round < 3; round++) {
    await until("submissions go on", progress(load));
    const leader = await cluster.leader();
    await cluster.killServer(leader);
    await until("submissions go on without the one killed", progress(load));
    expect(await cluster.leader()).not.toBe(leader);
    await cluster.restart(leader);
  }
  const acknowledged = await load.stop();
  await cluster.agree();
  for (const at of cluster.ids) expect(await differences(cluster, { at, acknowledged })).toEqual([]);
});

test("a leader that was frozen is another's follower when it goes on, and nothing is lost", async () => {
  const load = startLoad(cluster, { tag: "frozen" });
  const leader = await cluster.leader();
  await until("submissions go on", progress(load));
  cluster.freeze(leader, true);
  await until("submissions go on without the one frozen", progress(load));
  const rest = othersThan(leader).map((id) => cluster.url(id));
  await until("another leads", async () => {
    const { stdout } = await cluster.cli(["admin", "raft", "status", "-q"], rest);
    return !["", "0", String(leader)].includes(stdout.trim());
  });
  // The CLI leaves a server that says nothing and asks the next.
  const listed = await cluster.cli(["nodes", "-q"], [cluster.url(leader), ...rest]);
  expect([listed.code, listed.stdout]).toEqual([0, "n1\n"]);
  cluster.freeze(leader, false);
  await cluster.isReady(leader);
  expect((await cluster.status(leader)).leader_id).not.toBe(leader);
  const acknowledged = await load.stop();
  await cluster.agree();
  expect(await differences(cluster, { at: leader, acknowledged })).toEqual([]);
});

/** Is true once ten more submissions have been acknowledged. */
function progress(load: ReturnType<typeof startLoad>): () => boolean {
  const from = load.acknowledged();
  return () => load.acknowledged() >= from + 10;
}

test("a second --bootstrap is passed over with a warning", async () => {
  const [follower = 0] = othersThan(await cluster.leader());
  const before = await cluster.status(follower);
  expect(await cluster.stopServer(follower)).toBe(0);
  await cluster.restart(follower, ["--bootstrap"]);
  expect(await cluster.log(`server-${follower}`)).toContain("--bootstrap is ignored");
  await cluster.agree();
  expect((await cluster.status(follower)).members.length).toBe(before.members.length);
});

test("an agent goes on to another server when its own is killed, and takes work from there", async () => {
  const served = await agentsServer();
  await cluster.killServer(served);
  await until("the agent has another server", async () => (await agentsServer()) !== served);
  const [other = 0] = othersThan(served);
  const ref = await cluster.submit(other, { name: "moved", entrypoint: "echo here" });
  await cluster.reaches(other, ref, "completed");
  await cluster.restart(served);
});

test("output that is followed goes on, each line once, when the server it comes from is killed", async () => {
  const entrypoint = "for i in 1 2 3 4 5 6 7 8 9 10; do echo line $i; sleep 0.4; done";
  const ref = await cluster.submit(1, { name: "talks", entrypoint });
  await cluster.reaches(1, ref, "running");
  const [first = 0] = othersThan(await agentsServer());
  const urls = [first, ...othersThan(first)].map((id) => cluster.url(id));
  const following = cluster.cli(["logs", "--follow", ref], urls);
  await Bun.sleep(1_500);
  await cluster.killServer(first);
  const { code, stdout } = await following;
  const lines = Array.from({ length: 10 }, (_, i) => `line ${i + 1}\n`).join("");
  expect([code, stdout]).toEqual([0, lines]);
  await cluster.restart(first);
});

/** Returns the server that the agent has connected to last, by the agent's own log. */
async function agentsServer(): Promise<number> {
  const connected = (await cluster.log("n1")).split("\n").filter((line) => line.includes('"message":"connected"'));
  const { endpoint } = JSON.parse(connected.at(-1) ?? "{}");
  return cluster.ids.find((id) => cluster.grpcUrl(id) === endpoint) ?? 0;
}

test("leadership is handed over on request, and the status tells the truth", async () => {
  const leader = await cluster.leader();
  const [next = 0] = othersThan(leader);
  const moved = await cluster.cli(["admin", "raft", "transfer", String(next)]);
  expect([moved.code, moved.stderr]).toEqual([0, ""]);
  expect(await cluster.leader()).toBe(next);
  const shown = await cluster.cli(["admin", "raft", "status"], [cluster.url(leader)]);
  expect(shown.stdout).toContain(`server ${next} at ${cluster.raftAddress(next)}`);
  await until("every member has what is committed and was heard within a second", async () => {
    const { members } = await cluster.status(next);
    return members.every((m) => m.lag === 0 && (m.last_contact_ms ?? 9_999) < 1_000);
  });
});

test("an emptied data directory is refused, and the replacement walk brings the member back", async () => {
  const leader = await cluster.leader();
  const [lost = 0] = othersThan(leader);
  await cluster.killServer(lost);
  cluster.emptyDataDir(lost);
  await cluster.startServer(lost);
  await until("its refusal is told", async () =>
    /comes with another data directory/.test(await cluster.log(`server-${lost}`)),
  );
  await until("it says that it is not ready", async () => {
    return (await fetch(`${cluster.url(lost)}/readyz`).catch(() => undefined))?.status === 503;
  });

  const id = String(lost);
  const removed = await cluster.cli(["admin", "raft", "remove", id]);
  expect([removed.code, removed.stderr]).toEqual([0, ""]);
  const added = await cluster.cli(["admin", "raft", "add", id, cluster.raftAddress(lost)]);
  expect([added.code, added.stderr]).toEqual([0, ""]);
  await cluster.isReady(lost);
  await until("the learner has caught up", async () => {
    const member = (await cluster.status(await cluster.leader())).members.find((m) => m.node_id === lost);
    return member?.role === "learner" && (member.lag ?? 9_999) < 10;
  });
  const promoted = await cluster.cli(["admin", "raft", "promote", id]);
  expect([promoted.code, promoted.stderr]).toEqual([0, ""]);
  await cluster.agree();

  // It counts: with another one gone there is still a majority.
  const third = othersThan(lost).find((other) => other !== leader) ?? 0;
  await cluster.killServer(third);
  await cluster.submit(lost, { name: "by-two", entrypoint: "true" });
  await cluster.restart(third);
  await cluster.agree();
});

test("without a majority callers are told to come back, work goes on, and all is well once it is there again", async () => {
  const ref = await cluster.submit(1, { name: "outlives", entrypoint: "sleep 4; echo done" });
  await cluster.reaches(1, ref, "running");
  const [kept = 0, ...gone] = cluster.ids;
  for (const id of gone) await cluster.killServer(id);
  await until("the one left knows that it is alone", async () => {
    return (await fetch(`${cluster.url(kept)}/readyz`)).status === 503;
  });
  const refused = await cluster.request(kept, "GET", `/api/v1/allocations/${ref}`);
  expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([503, "NO_QUORUM"]);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  const stale = { "x-lattice-consistency": "stale" };
  expect((await cluster.request(kept, "GET", `/api/v1/allocations/${ref}`, undefined, stale)).status).toBe(200);
  for (const id of gone) await cluster.restart(id);
  expect((await cluster.reaches(kept, ref, "completed")).attempt).toBe(1);
});
