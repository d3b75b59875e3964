/**
 * Shows the containers of infra/docker at work: the images are built from the Dockerfile (on a
 * Debian made here, with the binaries that are there), and the servers and agents of
 * docker-compose.yml run as it says under podman, with Debian's VictoriaMetrics for its image. The
 * cluster begins by itself, runs work on both agents, is scraped, and survives down and up. Says why
 * where it cannot run.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { parse } from "yaml";
import { until } from "../e2e/cluster.ts";
import { machineObstacle } from "../e2e/operations/machines.ts";

interface Service {
  readonly hostname?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly image: string;
}

const ROOT = join(import.meta.dir, "../..");
const DOCKER = join(ROOT, "infra/docker");
const DIST = process.env.LATTICE_TEST_DIST ?? join(ROOT, "dist");
const missing = ["podman", "runc", "buildah", "victoria-metrics"].filter((program) => Bun.which(program) === null);
const obstacle = machineObstacle("systemd") ?? (missing.length > 0 ? `it needs ${missing.join(", ")}` : undefined);
if (obstacle !== undefined) console.log(`left out: running the containers: ${obstacle}`);

const dir = mkdtempSync(join(tmpdir(), "lattice-compose-"));
const store = ["--root", join(dir, "store"), "--runroot", join(dir, "run")];
const { services }: { readonly services: Readonly<Record<string, Service>> } = parse(
  await Bun.file(join(DOCKER, "docker-compose.yml")).text(),
  { merge: true },
);
const ours = Object.keys(services).filter((name) => /^lattice-(server|agent)-/.test(name));
const names = [...ours, "victoriametrics"];
const TAG = `lc${process.pid % 10_000}`;
const address = (name: string) => `10.80.0.${names.indexOf(name) + 1}`;
const space = (name: string) => `${TAG}${names.indexOf(name)}`;
let scraper: Subprocess | undefined;

function sh(...command: readonly string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command]);
  if (exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${exitCode}: ${stderr}${stdout}`);
  return stdout.toString();
}
const podman = (...args: readonly string[]) =>
  sh("podman", ...store, "--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "file", ...args);

/** What `docker compose up -d` does with a service. */
function up(name: string): void {
  const { hostname = name, environment = {}, volumes = [], command = [], image } = services[name] ?? { image: "" };
  const hosts = names.map((other) => `--add-host=${other}:${address(other)}`);
  const mounts = volumes.map((volume) => `--volume=${volume.replace(/^\.\//, `${DOCKER}/`)}`);
  const env = Object.entries(environment).map(([key, value]) => `--env=${key}=${value}`);
  // Without CAP_SYS_RESOURCE the usual limits cannot be raised.
  const limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096"];
  const network = `--network=ns:/run/netns/${space(name)}`;
  const flags = ["-d", `--name=${name}`, `--hostname=${hostname}`, network, ...hosts, ...mounts, ...env, ...limits];
  podman("run", ...flags, `localhost/${image}`, ...command);
}

beforeAll(() => {
  if (obstacle !== undefined) return;
  const base = join(dir, "base.tar");
  if (process.env.LATTICE_TEST_ROOT === undefined) sh("mmdebstrap", "--quiet", "--variant=minbase", "bookworm", base);
  else sh("tar", "-C", process.env.LATTICE_TEST_ROOT, "--exclude=./dev", "-cf", base, ".");
  podman("import", base, "localhost/debian:bare");
  rmSync(base);
  const context = join(dir, "context");
  mkdirSync(context);
  for (const name of ["lattice-server", "lattice-agent", "lattice"]) cpSync(join(DIST, name), join(context, name));
  for (const target of ["server", "agent"]) {
    const flags = [
      "--isolation=chroot",
      "--layers=false",
      `--target=${target}`,
      "--build-arg=BASE=localhost/debian:bare",
    ];
    const from = [`--build-context=binaries=${context}`, `--file=${join(DOCKER, "Dockerfile")}`];
    sh("buildah", ...store, "bud", ...flags, ...from, `--tag=lattice-${target}`, context);
  }
  sh("ip", "link", "add", TAG, "type", "bridge");
  sh("ip", "addr", "add", "10.80.0.254/24", "dev", TAG);
  sh("ip", "link", "set", TAG, "up");
  for (const name of names) {
    sh("ip", "netns", "add", space(name));
    sh("ip", "link", "add", `${space(name)}v`, "type", "veth", "peer", "name", "eth0", "netns", space(name));
    sh("ip", "link", "set", `${space(name)}v`, "master", TAG, "up");
    for (const args of [
      ["lo", "up"],
      ["eth0", "up"],
    ])
      sh("ip", "-n", space(name), "link", "set", ...args);
    sh("ip", "-n", space(name), "addr", "add", `${address(name)}/24`, "dev", "eth0");
  }
}, 600_000);

afterAll(async () => {
  scraper?.kill("SIGKILL");
  await scraper?.exited;
  if (obstacle === undefined) {
    Bun.spawnSync(["podman", ...store, "rm", "--all", "--force", "--time", "0"]);
    for (const name of names) Bun.spawnSync(["ip", "netns", "del", space(name)]);
    Bun.spawnSync(["ip", "link", "del", TAG]);
    Bun.spawnSync(["umount", "--lazy", join(dir, "store/overlay")], { stderr: "ignore" });
  }
  rmSync(dir, { recursive: true, force: true });
}, 60_000);

const api = `http://${address("lattice-server-2")}:8080`;
const ask = async (path: string, body?: object): Promise<unknown> => {
  const init = body && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(`${api}${path}`, init).catch(() => undefined);
  return response?.ok ? response.json() : undefined;
};

async function runsOnBoth(): Promise<number> {
  await until("both nodes are ready", async () => {
    const nodes = ((await ask("/api/v1/nodes")) ?? []) as readonly { readonly state: string }[];
    return nodes.length === 2 && nodes.every(({ state }) => state === "ready");
  });
  const work = { tenant: "default", nodes: 2, run_on: "every", entrypoint: "echo $LATTICE_NODE_ID" };
  const { short_id: id } = (await ask("/api/v1/allocations", work)) as { readonly short_id: number };
  let seen: { readonly state?: string } | undefined;
  await until(
    () => `the work is done: ${JSON.stringify(seen)}`,
    async () => {
      seen = (await ask(`/api/v1/allocations/${id}`)) as typeof seen;
      return seen?.state === "completed";
    },
  );
  return id;
}

const output = async (id: number) => (await fetch(`${api}/api/v1/allocations/${id}/logs?format=raw`)).text();

test.skipIf(obstacle !== undefined)(
  "the cluster begins by itself, runs work on both agents and is scraped",
  async () => {
    for (const name of ours) up(name);
    const id = await runsOnBoth();
    expect((await output(id)).trim().split("\n").toSorted()).toEqual(["x1000c0s0b0n0", "x1000c0s0b0n1"]);
    // The names of the scrape configuration are looked up in this machine's /etc/hosts otherwise.
    const scrape = (await Bun.file(join(DOCKER, "scrape.yaml")).text()).replace(
      /lattice-(?:server|agent)-\d/g,
      address,
    );
    await Bun.write(join(dir, "scrape.yaml"), scrape.replaceAll("15s", "1s"));
    const flags = [`-promscrape.config=${join(dir, "scrape.yaml")}`, `-storageDataPath=${join(dir, "metrics")}`];
    const listen = "-httpListenAddr=127.0.0.1:18428";
    scraper = Bun.spawn(["victoria-metrics", ...flags, listen, "-search.latencyOffset=0s"], {
      stdio: ["ignore", "ignore", "ignore"],
    });
    await until("five targets are up", async () => {
      const url = `http://127.0.0.1:18428/api/v1/query?query=${encodeURIComponent("count(up==1)")}`;
      const answer = await fetch(url)
        .then((r) => r.json())
        .catch(() => undefined);
      return answer?.data?.result?.[0]?.value?.[1] === "5";
    });
  },
  180_000,
);

test.skipIf(obstacle !== undefined)(
  "down and up keep the cluster and what it did",
  async () => {
    const before = (await ask("/api/v1/allocations?state=completed")) as readonly { readonly id: string }[];
    podman("stop", "--all", "--time", "30");
    podman("rm", "--all");
    for (const name of ours) up(name);
    await runsOnBoth();
    const after = (await ask("/api/v1/allocations?state=completed")) as readonly { readonly id: string }[];
    expect(after.map(({ id }) => id)).toEqual(expect.arrayContaining(before.map(({ id }) => id)));
  },
  180_000,
);
