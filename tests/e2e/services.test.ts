/**
 * Services with built binaries: one that ends is started again, up to its cap; one that has a
 * metric grows and shrinks with it, as a database with the API of Prometheus tells it.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Cluster, until } from "./cluster.ts";

/** Stands for the database: gives the number that the test sets, and keeps what it was asked. */
let value = 0;
const queries: string[] = [];
const database = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    queries.push(new URL(request.url).searchParams.get("query") ?? "");
    const result = [{ metric: {}, value: [0, String(value)] }];
    return Response.json({ status: "success", data: { resultType: "vector", result } });
  },
});

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({
    env: {
      LATTICE_TELEMETRY_TSDB_ENDPOINT: `http://127.0.0.1:${database.port}`,
      LATTICE_SCHEDULING_AUTOSCALE_INTERVAL_SECONDS: "1",
      LATTICE_SCHEDULING_AUTOSCALE_UP_SECONDS: "1",
      LATTICE_SCHEDULING_AUTOSCALE_DOWN_SECONDS: "1",
      LATTICE_SCHEDULING_AUTOSCALE_COOLDOWN_SECONDS: "1",
    },
  });
  for (const node of ["n1", "n2", "n3"]) await cluster.startAgent(node);
}, 60_000);
afterAll(async () => {
  await cluster.stop();
  await database.stop(true);
});

async function nodesAre(id: string, count: number): Promise<void> {
  await until(
    `service ${id} has ${count} nodes`,
    async () => (await cluster.allocation(id)).assigned_nodes.length === count,
  );
}

test("a service that ends is started again, as often as it may be", async () => {
  const id = await cluster.submit({ entrypoint: "exit 0", lifecycle: "unbounded", max_requeue: 1 });
  const ended = await cluster.reaches(id, "failed");
  expect([ended.attempt, ended.message]).toEqual([2, expect.stringContaining("requeued 1 times, the limit")]);
}, 60_000);

test("a service grows while its metric is above its target, up to the most, and shrinks below half of it", async () => {
  value = 5;
  const { code, stdout } = await cluster.cli(
    ...["submit", "-q", "--lifecycle", "reactive", "--nodes", "1-2"],
    ...["--metric", "requests", "--target", "10", "--wrap", "sleep 600"],
  );
  expect(code).toBe(0);
  const id = stdout.trim();
  expect((await cluster.reaches(id, "running")).assigned_nodes).toHaveLength(1);
  value = 11;
  await nodesAre(id, 2);
  expect((await cluster.allocation(id)).message).toContain("2 nodes: requests is 11, its target 10");
  expect(queries).toContain(`avg(requests{allocation_id="${(await cluster.allocation(id)).id}"})`);
  value = 4;
  await nodesAre(id, 1);
  expect(await cluster.allocation(id)).toMatchObject({ state: "running", attempt: 1 });
  await cluster.cli("cancel", id);
  await cluster.reaches(id, "cancelled");
}, 60_000);

test("a service that grows must say by what", async () => {
  const { code, stderr } = await cluster.cli("submit", "--lifecycle", "reactive", "--wrap", "true");
  expect([code, stderr]).toEqual([3, expect.stringContaining("reactive_metric is empty")]);
}, 60_000);
