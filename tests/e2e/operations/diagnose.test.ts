/** Shows that the support bundle holds what explains a cluster, and nothing secret: no token, environment, command line or output. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { Cluster } from "../cluster.ts";

const SECRETS = ["hunter2-in-the-environment", "hunter3-on-the-command-line", "hunter4-in-the-output"];
let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.startAgent("n1");
}, 60_000);
afterAll(() => cluster.stop());

test("diagnose writes one file that its owner alone can read, with everything but secrets", async () => {
  const [environment = "", commandLine = "", output = ""] = SECRETS;
  const print = `echo ${output.slice(0, 4)}''${output.slice(4)}; sleep 60; echo ${commandLine}`;
  const running = await cluster.submit({ name: "runs", entrypoint: print, env: { PASSWORD: environment } });
  await cluster.reaches(running, "running");
  const waiting = await cluster.submit({ name: "waits", nodes: 7, entrypoint: "true" });
  const path = join(cluster.dir, "bundle.tar.gz");
  const { code, stdout, stderr } = await cluster.cli("admin", "diagnose", "--out", path);
  expect(code, stderr).toBe(0);
  expect(stdout).toContain(path);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const listed = Bun.spawnSync(["tar", "tzf", path]).stdout.toString().trim().split("\n");
  expect(listed).toEqual([
    ...["allocations.json", "nodes.json", "server-1/metrics.txt", "server-1/raft-status.json"],
    ...["tenants.json", "vclusters.json", "versions.json"],
  ]);
  const all = Bun.spawnSync(["tar", "xzOf", path]).stdout.toString();
  for (const secret of SECRETS) expect(all).not.toContain(secret);
  expect(all).toContain("lattice_raft_commit_index");
  expect(all).toContain(`"short_id": ${waiting}`);
  expect(all).toContain('"reasons"');
  expect(all).toContain('"n1"');
}, 60_000);

test("what cannot be had is named, and the rest is there all the same", async () => {
  await cluster.killServer();
  const path = join(cluster.dir, "without.tar.gz");
  const { code, stderr } = await cluster.cli("--timeout", "2s", "admin", "diagnose", "--out", path);
  expect(code, stderr).toBe(0);
  expect(stderr).toContain("left out: server-1/metrics.txt");
  expect(existsSync(path)).toBe(true);
  expect(Bun.spawnSync(["tar", "xzOf", path, "missing.txt"]).stdout.toString()).toContain("nodes.json: ");
}, 60_000);
