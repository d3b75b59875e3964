/**
 * Shows that every query of every dashboard returns data on a live cluster: Prometheus and
 * VictoriaMetrics scrape the built server and agent while jobs run and requests fail. Says so
 * and passes over the one that is missing.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { DASHBOARDS } from "../../scripts/reference/dashboards.ts";
import { freePorts } from "../fixtures/free-ports.ts";
import { Cluster, until } from "./cluster.ts";

/** How each is started on a folder and a port, with what to scrape. */
const SCRAPERS: Readonly<Record<string, (folder: string, listen: string) => readonly string[]>> = {
  prometheus: (folder, listen) => [
    ...[`--config.file=${folder}/scrape.yml`, `--storage.tsdb.path=${folder}/prometheus`],
    `--web.listen-address=${listen}`,
  ],
  "victoria-metrics": (folder, listen) => [
    ...[`-promscrape.config=${folder}/scrape.yml`, `-storageDataPath=${folder}/victoria-metrics`],
    // A sample is shown at once, rather than when late ones can have come.
    ...[`-httpListenAddr=${listen}`, "-search.latencyOffset=0s"],
  ],
};
const present = Object.keys(SCRAPERS).filter((name) => Bun.which(name) !== null);
for (const name of Object.keys(SCRAPERS)) {
  if (!present.includes(name))
    console.log(`left out: asking the queries of the dashboards there needs the package ${name}`);
}
const dir = mkdtempSync(join(tmpdir(), "lattice-dashboards-"));
let cluster: Cluster | undefined;
const running: Subprocess[] = [];
const ports = new Map<string, number>();

beforeAll(async () => {
  if (present.length === 0) return;
  cluster = await Cluster.start({ isQuick: true });
  await cluster.startAgent("n1");
  const agent = /"address":"([^"]+)"/.exec(await cluster.log("n1"))?.[1];
  const scrapes = [
    { job_name: "lattice-server", static_configs: [{ targets: [new URL(cluster.url).host] }] },
    { job_name: "lattice-agent", static_configs: [{ targets: [agent] }] },
  ];
  // JSON is YAML.
  const config = { global: { scrape_interval: "1s" }, scrape_configs: scrapes };
  writeFileSync(join(dir, "scrape.yml"), JSON.stringify(config));
  for (const name of present) {
    const [port = 0] = await freePorts(1);
    ports.set(name, port);
    const flags = SCRAPERS[name]?.(dir, `127.0.0.1:${port}`) ?? [];
    running.push(Bun.spawn([name, ...flags], { stdio: ["ignore", "ignore", "ignore"] }));
  }
  for (let i = 0; i < 4; i++) {
    await cluster.reaches(await cluster.submit({ entrypoint: "true" }), "completed");
    await cluster.request("GET", "/api/v1/allocations/999999");
    await Bun.sleep(1_000);
  }
}, 60_000);

afterAll(async () => {
  for (const scraper of running) {
    scraper.kill("SIGKILL");
    await scraper.exited;
  }
  await cluster?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** Returns the number of series that answer a query, as Grafana would ask it. */
async function seriesOf(scraper: string, query: string): Promise<number> {
  const asked = query.replaceAll("$__rate_interval", "1m").replace(/\$(?:vcluster|instance)\b/g, ".*");
  const url = `http://127.0.0.1:${ports.get(scraper)}/api/v1/query?query=${encodeURIComponent(asked)}`;
  const answer = await fetch(url).then(
    (response) => response.json(),
    () => undefined,
  );
  if (answer?.status === "error") throw new Error(`${asked}: ${answer.error}`);
  return answer?.data?.result?.length ?? 0;
}

for (const name of Object.keys(SCRAPERS)) {
  for (const { title, panels } of DASHBOARDS) {
    for (const panel of panels) {
      for (const [legend, query] of Object.entries(panel.queries)) {
        const claim = `${name}: ${title}, ${panel.title} (${legend}): the query returns data`;
        test.skipIf(!present.includes(name))(claim, async () => {
          await until("there are series", async () => (await seriesOf(name, query)) > 0);
          expect(await seriesOf(name, query)).toBeGreaterThan(0);
        });
      }
    }
  }
}
