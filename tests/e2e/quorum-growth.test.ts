/**
 * Clusters that change their size, by the walks of the operator's page: one server grows to
 * three, and a backup of three is restored onto one, which three more then grow from.
 */
import { afterEach, expect, test } from "bun:test";
import { until } from "./cluster.ts";
import { QuorumCluster } from "./quorum-cluster.ts";

let cluster: QuorumCluster;
afterEach(() => cluster.stop());

/** Runs a command of the CLI that must succeed. */
async function done(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cluster.cli(args);
  expect([args, code, stderr]).toEqual([args, 0, ""]);
  return stdout;
}

/** Starts a server that is to join, and takes it in: add, wait, promote. */
async function takeIn(id: number): Promise<void> {
  await cluster.startServer(id);
  await done("admin", "raft", "add", String(id), cluster.raftAddress(id));
  await until(`server ${id} has caught up`, async () => {
    const { members } = await cluster.status(await cluster.leader());
    return (members.find((m) => m.node_id === id)?.lag ?? 9_999) === 0;
  });
  await done("admin", "raft", "promote", String(id));
  await cluster.isReady(id);
}

test("one server, told nothing of others, grows to three and then bears a loss", async () => {
  cluster = await QuorumCluster.prepare();
  cluster.configureAlone(1);
  await cluster.startServer(1, ["--bootstrap"]);
  await cluster.isReady(1);
  const ref = await cluster.submit(1, { name: "alone", entrypoint: "true" });
  expect(await cluster.stopServer(1)).toBe(0);
  cluster.configure(1, [1]);
  await cluster.restart(1);
  for (const id of [2, 3]) cluster.configure(id, [1, 2, 3]);
  await takeIn(2);
  await takeIn(3);
  await cluster.agree();
  await cluster.killServer(1);
  await until("the two others elect", async () => (await cluster.leader()) !== 1);
  expect((await cluster.request(3, "GET", `/api/v1/allocations/${ref}`)).status).toBe(200);
  await cluster.restart(1);
  await cluster.agree();
}, 60_000);

test("a server that belongs to several and is not told where to listen says so", async () => {
  cluster = await QuorumCluster.start();
  expect(await cluster.stopServer(2)).toBe(0);
  cluster.configureAlone(2);
  const server = await cluster.startServer(2);
  expect(await server.exited).not.toBe(0);
  expect(await cluster.log("server-2")).toContain("is not told where to listen for them");
}, 60_000);

test("a backup of three servers is restored onto one, and onto three", async () => {
  cluster = await QuorumCluster.start();
  const ref = await cluster.submit(2, { name: "kept", entrypoint: "true" });
  const backup = (await done("admin", "backup", "create", "-q")).trim();
  for (const id of cluster.ids) await cluster.stopServer(id);
  for (const id of cluster.ids) cluster.emptyDataDir(id);

  cluster.configureAlone(1);
  expect(cluster.restore(1, backup)).toContain("start lattice-server without --bootstrap");
  await cluster.restart(1);
  expect((await cluster.status(1)).members).toHaveLength(1);
  expect((await cluster.request(1, "GET", `/api/v1/allocations/${ref}`)).status).toBe(200);
  await cluster.stopServer(1);

  cluster.emptyDataDir(1);
  cluster.configure(1, cluster.ids);
  cluster.restore(1, backup);
  for (const id of cluster.ids) await cluster.startServer(id);
  for (const id of cluster.ids) await cluster.isReady(id);
  for (const id of cluster.ids) {
    expect((await cluster.request(id, "GET", `/api/v1/allocations/${ref}`)).status).toBe(200);
  }
  await cluster.agree();
}, 60_000);

test("servers that wait for a first one say so, and one of them may become it", async () => {
  cluster = await QuorumCluster.prepare();
  for (const id of cluster.ids) await cluster.startServer(id);
  const what = "neither server belongs to a cluster yet: start one of them with --bootstrap, once";
  for (const id of cluster.ids)
    await until(`${id} says it`, async () => (await cluster.log(`server-${id}`)).includes(what));
  const asked = await cluster.request(2, "GET", "/api/v1/nodes");
  expect([asked.status, ((await asked.json()) as { code: string }).code]).toEqual([503, "NO_QUORUM"]);
  expect(await cluster.stopServer(3)).toBe(0);
  await cluster.startServer(3, ["--bootstrap"]);
  for (const id of cluster.ids) await cluster.isReady(id);
  await cluster.agree();
}, 60_000);

test("a second cluster by mistake stays apart from the first, and its server joins once it is emptied", async () => {
  cluster = await QuorumCluster.prepare();
  await cluster.startServer(1, ["--bootstrap"]);
  await cluster.startServer(2);
  await cluster.isReady(1);
  const before = await cluster.status(1);
  await cluster.startServer(3, ["--bootstrap"]);
  await until("server 3 says it", async () =>
    /belongs to cluster .* without --bootstrap/.test(await cluster.log("server-3")),
  );
  await until("server 3 answers that it is not ready", async () => {
    return (await fetch(`${cluster.url(3)}/readyz`).catch(() => undefined))?.status === 503;
  });
  expect((await cluster.status(1)).current_term).toBe(before.current_term);
  await cluster.killServer(3);
  cluster.emptyDataDir(3);
  await cluster.startServer(3);
  await cluster.isReady(3);
  await cluster.agree();
}, 60_000);
