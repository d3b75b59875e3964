/**
 * Shows, on five machines that boot a bare Debian under systemd, that the deploy scripts make a
 * working cluster from a bundle, twice the same, that validate.sh says so and finds a fault, and
 * that the specification's commands do it too, up to an upgrade from an earlier build. Says why
 * where it cannot run.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HOST_ADDRESS, Machines, machineObstacle } from "../e2e/operations/machines.ts";
import { buildPrevious, previousObstacle } from "../e2e/operations/previous-build.ts";
import { packDist, versionOf, walkSpecification } from "../e2e/operations/spec-walk.ts";

const ROOT = join(import.meta.dir, "../..");
const DIST = process.env.LATTICE_TEST_DIST ?? join(ROOT, "dist");
const SECRET = "a-secret-for-tests-only-0123456789";
const SERVERS = ["q1", "q2", "q3"];
const NODES = ["x1000c0s0b0n0", "x1000c0s0b0n1"];
const obstacle = machineObstacle("systemd");
if (obstacle !== undefined) console.log(`left out: deploying on machines: ${obstacle}`);

describe.skipIf(obstacle !== undefined)("from a bundle", () => {
  let machines: Machines;
  const peers = SERVERS.map((name, i) => `${i + 1}=${name}:9000`).join(",");
  const endpoints = SERVERS.map((name) => `http://${name}:50051`).join(",");
  const opt = "/opt/lattice/scripts";
  const secretly = ["env", `LATTICE_HMAC_SECRET=${SECRET}`];

  beforeAll(async () => {
    machines = await Machines.start("systemd", [...SERVERS, ...NODES]);
    const bundle = join(machines.dir, "bundle.tar.gz");
    const made = Bun.spawnSync([join(ROOT, "scripts/deploy/make-provision-bundle.sh"), DIST, bundle]);
    if (made.exitCode !== 0) throw new Error(made.stderr.toString());
    for (const name of machines.names) {
      const to = join(machines.root(name), "opt/lattice");
      mkdirSync(to, { recursive: true });
      Bun.spawnSync(["tar", "xzf", bundle, "-C", to]);
    }
    for (const node of NODES) machines.run(node, "useradd", "--create-home", "alice");
  }, 600_000);
  afterAll(() => machines.stop());

  const install = () => [
    ...SERVERS.map((name, i) =>
      machines.run(
        name,
        ...[...secretly, `${opt}/install-quorum.sh`, String(i + 1), "0.0.0.0", peers],
        ...(i === 0 ? ["--bootstrap"] : []),
      ),
    ),
    ...NODES.map((name) => machines.run(name, ...secretly, `${opt}/install-compute.sh`, name, endpoints)),
  ];

  const validate = async (nodes: readonly string[], ...flags: readonly string[]) => {
    const urls = SERVERS.map((name) => `http://${machines.address(name)}:8080`).join(",");
    const restart = join(machines.dir, "restart");
    writeFileSync(restart, `#!/bin/sh\nexec ${machines.entrance()} "$1" systemctl restart lattice-server\n`);
    chmodSync(restart, 0o755);
    const script = join(ROOT, "scripts/deploy/validate.sh");
    const run = Bun.spawn([script, urls, nodes.join(","), "--user", "alice", "--restart", `${restart} %h`, ...flags], {
      env: { ...process.env, LATTICE_HMAC_SECRET: SECRET },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [table, code] = await Promise.all([new Response(run.stdout).text(), run.exited]);
    return { table, code };
  };

  test("three servers and two nodes are installed and started", () => {
    for (const said of install()) expect(said).toContain("started lattice-");
  }, 300_000);

  test("the 15 tests of the matrix pass, but for the container where there is no registry", async () => {
    const { table, code } = await validate(NODES);
    expect(table).toEndWith("14 passed, 0 failed, 1 skipped\n");
    expect(code).toBe(0);
  }, 300_000);

  test("installing again changes nothing", () => {
    for (const said of install()) expect(said).toContain("runs, and nothing has changed");
  }, 300_000);

  test("a file that somebody else wrote is left alone, and a flag that the agent lacks is refused", () => {
    const [node = ""] = NODES;
    const refused = () => machines.run(node, ...secretly, `${opt}/install-compute.sh`, node, endpoints, "--gpu-cout=4");
    expect(refused).toThrow("lattice-agent has no flag --gpu-cout");
    machines.run(node, "sed", "-i", "1d", "/etc/lattice/agent.env");
    const said = machines.run(node, ...secretly, `${opt}/install-compute.sh`, node, endpoints, "--gpu-count=0");
    expect(said).toContain("left /etc/lattice/agent.env alone");
  }, 60_000);

  test("validation fails with a reason where a node is missing", async () => {
    const { table, code } = await validate([...NODES, "x1000c0s0b0n9"], "--wait", "3");
    expect(table).toMatch(/2 {2}health .* FAIL\n.*node x1000c0s0b0n9 is ready/);
    expect(code).toBe(1);
  }, 300_000);

  test("the machines reach this one: they are on one network", () => {
    expect(machines.run(NODES[0] ?? "", "ip", "route", "get", HOST_ADDRESS)).toContain("host0");
  });
});

test.skipIf(obstacle !== undefined || previousObstacle() !== undefined)(
  "the specification's commands work under systemd, and upgrade a cluster of an earlier build",
  async () => {
    const previous = buildPrevious();
    const [from, to] = [await packDist(previous.dist, previous.root), await packDist(DIST)];
    const { transcript, exitCode } = await walkSpecification({ kind: "systemd", from, to, version: versionOf(DIST) });
    for (const folder of [from, to]) rmSync(folder, { recursive: true });
    previous.remove();
    console.log(transcript);
    expect(exitCode).toBe(0);
  },
  900_000,
);
