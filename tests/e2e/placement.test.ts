/**
 * What a person sees of placement on a cluster of four nodes in two dragonfly groups, two
 * makes and with a known power: where work goes, why it waits, what vClusters lend each
 * other and take back, and that the history that is exported can be replayed.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Cluster } from "./cluster.ts";

const DIST = join(import.meta.dir, "../../dist");

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({
    env: {
      LATTICE_SCHEDULING_PREEMPTION_ENABLED: "true",
      LATTICE_SCHEDULING_STORAGE_BANDWIDTH_CAP_MBPS: "1000",
    },
  });
  for (const [i, make] of ["a", "b", "b", "a"].entries()) {
    const kind = ["--conformance-fingerprint", make, "--group", String(Math.floor(i / 2)), "--power-watts", "1000"];
    await cluster.startAgent(`n${i}`, { flags: [...kind, ...(i === 3 ? ["--unified-memory"] : [])] });
  }
}, 120_000);
afterAll(() => cluster.stop());

const placedOn = async (id: string) => (await cluster.reaches(id, "running", "completed")).assigned_nodes;

async function submitted(...words: readonly string[]): Promise<string> {
  const { stdout, stderr } = await cluster.cli("submit", "-q", ...words);
  expect(stderr).toBe("");
  return stdout.trim();
}

async function why(id: string): Promise<string> {
  const { stdout } = await cluster.cli("explain", id);
  return stdout.replace(/\s+/g, " ");
}

const SLEEP = ["--grace-period", "1", "--wrap", "sleep 300"];

test("nodes say which group and make they are of, and what they draw", async () => {
  const { stdout } = await cluster.cli("nodes", "n3");
  expect(stdout).toMatch(/Group +1\n/);
  expect(stdout).toMatch(/Make +a\n/);
  expect(stdout).toMatch(/Memory kinds +.* unified\n/);
  expect(await cluster.get("/api/v1/nodes/n3")).toMatchObject({ conformance_fingerprint: "a", power_watts: 1_000 });
});

test("work gets nodes of one group, of one make, with the memory it asks for, or is told why not", async () => {
  const tight = await submitted("-N", "2", "--topology", "tight", "--wrap", "true");
  // Of one make where that can be had, and then as near as can be.
  expect(await placedOn(tight)).toEqual(["n0", "n3"]);
  expect(await placedOn(await submitted("-N", "2", "--same-conformance", "--wrap", "true"))).toEqual(["n0", "n3"]);
  expect(await placedOn(await submitted("--unified-memory", "--wrap", "true"))).toEqual(["n3"]);
  const three = await submitted("-N", "3", "--same-conformance", ...SLEEP);
  expect(await why(three)).toContain("no group of nodes of one make is large enough for it: needs 3 of one make");
  const two = await submitted("-N", "2", "--unified-memory", ...SLEEP);
  expect(await why(two)).toContain("fewer suitable nodes than it asks for");
  expect((await cluster.cli("cancel", three, two)).code).toBe(0);
}, 60_000);

test("storage bandwidth is shared out up to the cap of the cluster", async () => {
  const first = await submitted("--storage-bandwidth", "700", ...SLEEP);
  await cluster.reaches(first, "running");
  const second = await submitted("--storage-bandwidth", "400", ...SLEEP);
  expect(await why(second)).toContain("needs 400 MB/s, the cluster draws 700 of 1000");
  await cluster.cli("cancel", first);
  await cluster.reaches(second, "running");
  await cluster.cli("cancel", second);
  await cluster.reaches(second, "cancelled");
}, 60_000);

test("a vCluster lends idle nodes and takes them back by preemption; its power is capped", async () => {
  const made = await cluster.cli(
    ...["admin", "vcluster", "create", "own", "--tenant", "default", "--dedicated-nodes", "n[0-2]"],
    ...["--lend-fraction", "0.4", "--power-cap", "2000"],
  );
  expect(made.code).toBe(0);
  const shown = await cluster.cli("admin", "vcluster", "get", "default/own");
  expect(shown.stdout).toContain("1 of its nodes");
  const guest = await submitted("-N", "2", "--requeue", "always", ...SLEEP);
  expect(await placedOn(guest)).toEqual(["n0", "n3"]);
  const other = await submitted(...SLEEP);
  expect(await why(other)).toContain("others lend no more of their nodes: default/own has lent 1 of 1");
  await cluster.cli("cancel", other);
  const owner = await submitted("--vcluster", "default/own", "--priority", "1", "-N", "3", ...SLEEP);
  expect(await why(owner)).toMatch(/power .* needs 3000 W, vCluster default\/own draws 0 of 2000|in use/);
  const lifted = await cluster.cli("admin", "vcluster", "update", "default/own", "--power-cap", "0");
  expect([lifted.code, lifted.stderr]).toEqual([0, ""]);
  expect(await placedOn(owner)).toEqual(["n0", "n1", "n2"]);
  expect((await cluster.allocation(guest)).state).toBe("pending");
  expect((await cluster.cli("cancel", owner, guest)).code).toBe(0);
  await cluster.reaches(owner, "cancelled");
}, 90_000);

test("parts of a GPU are refused where a vCluster gives whole ones", async () => {
  await cluster.cli(
    ...["admin", "vcluster", "create", "whole", "--tenant", "default", "--share-nodes", "yes", "--gpu-fractions", "no"],
  );
  const { code, stderr } = await cluster.cli(
    "submit",
    "--vcluster",
    "default/whole",
    "--gpus",
    "0.5",
    "--wrap",
    "true",
  );
  expect([code, stderr]).toEqual([3, expect.stringContaining("gives whole ones")]);
});

test("the history is exported and replayed on the nodes that it names", async () => {
  const file = join(cluster.dir, "history.lattice");
  const exported = await cluster.cli("admin", "trace", "export", "--file", file);
  expect([exported.code, exported.stderr]).toEqual([0, expect.stringMatching(/^\d+ allocations on 4 nodes are in/)]);
  const output = join(cluster.dir, "replay");
  const child = Bun.spawnSync([join(DIST, "rm-replay"), "-i", file, "-m", "easy", "-o", output]);
  expect([child.exitCode, child.stderr.toString()]).toEqual([0, ""]);
  expect(existsSync(join(output, "report.html"))).toBe(true);
  const [metrics] = await Bun.file(join(output, "metrics.json")).json();
  expect(metrics).toMatchObject({ machine: { nodes: 4 }, unplaced: 0 });
  expect(metrics.jobs).toBeGreaterThanOrEqual(5);
}, 60_000);
