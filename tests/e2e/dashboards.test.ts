/**
 * Shows that every query of every dashboard returns data on a live cluster: a Prometheus
 * scrapes the built server and agent while jobs run and requests fail. Needs prometheus;
 * says so and passes over where it is missing.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { DASHBOARDS } from "../../scripts/reference/dashboards.ts";
import { freePorts } from "../fixtures/free-ports.ts";
import { Cluster, until } from "./cluster.ts";

const prometheus = Bun.which("prometheus");
if (prometheus === null) console.log("left out: asking the queries of the dashboards needs the package prometheus");
const dir = mkdtempSync(join(tmpdir(), "lattice-dashboards-"));
let cluster: Cluster | undefined;
let scraper: Subprocess | undefined;
let port = 0;

beforeAll(async () => {
  if (prometheus === null) return;
  cluster = await Cluster.start({ isQuick: true });
  await cluster.startAgent("n1");
  const agent = /"address":"([^"]+)"/.exec(await cluster.log("n1"))?.[1];
  const scrapes = [
    { job_name: "lattice-server", static_configs: [{ targets: [new URL(cluster.url).host] }] },
    { job_name: "lattice-agent", static_configs: [{ targets: [agent] }] },
  ];
  // JSON is YAML.
  const config = { global: { scrape_interval: "1s" }, scrape_configs: scrapes };
  writeFileSync(join(dir, "prometheus.yml"), JSON.stringify(config));
  [port = 0] = await freePorts(1);
  const flags = [`--config.file=${dir}/prometheus.yml`, `--storage.tsdb.path=${dir}/data`];
  scraper = Bun.spawn([prometheus, ...flags, `--web.listen-address=127.0.0.1:${port}`], {
    stdio: ["ignore", "ignore", "ignore"],
  });
  for (let i = 0; i < 4; i++) {
    await cluster.reaches(await cluster.submit({ entrypoint: "true" }), "completed");
    await cluster.request("GET", "/api/v1/allocations/999999");
    await Bun.sleep(1_000);
  }
}, 60_000);

afterAll(async () => {
  scraper?.kill("SIGKILL");
  await scraper?.exited;
  await cluster?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** Returns the number of series that answer a query, as Grafana would ask it. */
async function seriesOf(query: string): Promise<number> {
  const asked = query.replaceAll("$__rate_interval", "1m").replace(/\$(?:vcluster|instance)\b/g, ".*");
  const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(asked)}`;
  const answer = await fetch(url).then(
    (response) => response.json(),
    () => undefined,
  );
  if (answer?.status === "error") throw new Error(`${asked}: ${answer.error}`);
  return answer?.data?.result?.length ?? 0;
}

for (const { title, panels } of DASHBOARDS) {
  for (const panel of panels) {
    for (const [legend, query] of Object.entries(panel.queries)) {
      test.skipIf(prometheus === null)(`${title}, ${panel.title} (${legend}): the query returns data`, async () => {
        await until("there are series", async () => (await seriesOf(query)) > 0);
        expect(await seriesOf(query)).toBeGreaterThan(0);
      });
    }
  }
}
