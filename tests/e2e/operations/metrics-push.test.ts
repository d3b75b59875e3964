/** Shows that server and agent send their metrics to the VictoriaMetrics that telemetry.tsdb_endpoint names, labelled as a scrape would. Says so where Debian's is missing. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { freePorts } from "../../fixtures/free-ports.ts";
import { Cluster, until } from "../cluster.ts";

const store = Bun.which("victoria-metrics");
if (store === null) console.log("left out: sending metrics needs the package victoria-metrics");
const dir = mkdtempSync(join(tmpdir(), "lattice-push-"));
let cluster: Cluster | undefined;
let running: Subprocess | undefined;
let url = "";

beforeAll(async () => {
  if (store === null) return;
  const [port = 0] = await freePorts(1);
  url = `http://127.0.0.1:${port}`;
  const env = { LATTICE_TELEMETRY_TSDB_ENDPOINT: url, LATTICE_TELEMETRY_PROD_INTERVAL_SECONDS: "1" };
  cluster = await Cluster.start({ env });
  await until("the server says that nothing listens there", async () => {
    return (await cluster?.log("server"))?.includes("metrics cannot be sent") === true;
  });
  const flags = [`-storageDataPath=${dir}`, `-httpListenAddr=127.0.0.1:${port}`, "-search.latencyOffset=0s"];
  running = Bun.spawn([store, ...flags], { stdio: ["ignore", "ignore", "ignore"] });
  await until("it listens", async () => (await fetch(`${url}/health`).catch(() => undefined))?.ok === true);
  await cluster.startAgent("n1");
}, 60_000);

afterAll(async () => {
  running?.kill("SIGKILL");
  await running?.exited;
  await cluster?.stop();
  rmSync(dir, { recursive: true, force: true });
});

async function labelsOf(query: string): Promise<Readonly<Record<string, string>> | undefined> {
  const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(query)}`).then((r) => r.json());
  return answer.data.result[0]?.metric;
}

test.skipIf(store === null)(
  "the figures of server and agent are there, with job and instance",
  async () => {
    for (const [query, job] of [
      ["lattice_raft_leader", "lattice-server"],
      ["lattice_node_up", "lattice-agent"],
    ] as const) {
      await until(`${query} is there`, async () => (await labelsOf(query)) !== undefined);
      const labels = await labelsOf(query);
      expect(labels?.job).toBe(job);
      expect(labels?.instance).toMatch(/^[^:]+:\d+$/);
    }
    expect(await cluster?.log("server")).toContain("metrics are sent again");
  },
  60_000,
);
