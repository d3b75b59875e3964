/**
 * Shows that /metrics tells what happened on a real server, that the number of series does
 * not grow with the work, that asking costs the same whatever the size of the state, and
 * that Prometheus itself can read every line of it.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApi } from "../../src/api/create-api.ts";
import { systemClock } from "../../src/io/system-clock.ts";
import { meterProcess } from "../../src/io/telemetry/process-metrics.ts";
import { openTelemetry } from "../../src/io/telemetry/prometheus.ts";
import { METRICS, type MetricSpec } from "../../src/ports/metrics.ts";
import { freePorts } from "../fixtures/free-ports.ts";
import { addNode, startTestServer, type TestServer } from "../fixtures/test-server.ts";

let running: TestServer;
let api: ReturnType<typeof createApi>;

beforeAll(async () => {
  const telemetry = openTelemetry("server");
  meterProcess(telemetry, { version: "0.0.0", commit: "test", clock: systemClock });
  running = await startTestServer({ telemetry });
  api = createApi({ server: running.server, auth: {} });
});

afterAll(() => running.stop());

async function scrape(): Promise<string> {
  const response = await api.app.handle(new Request("http://localhost/metrics"));
  expect(response.headers.get("content-type")).toBe("application/openmetrics-text; version=1.0.0; charset=utf-8");
  return response.text();
}

const seriesValue = (text: string, series: string): number | undefined => {
  const line = text.split("\n").find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
};

const post = (body: unknown): Promise<Response> =>
  Promise.resolve(
    api.app.handle(
      new Request("http://localhost/api/v1/allocations", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
    ),
  );

test("every metric of the server's catalogue is named, and the text ends as OpenMetrics asks", async () => {
  const text = await scrape();
  for (const [name, spec] of Object.entries<MetricSpec>(METRICS)) {
    if (!spec.of.includes("server")) continue;
    expect(text).toContain(`# TYPE ${name.replace(/_total$/, "")} ${spec.kind}\n`);
  }
  expect(text).toEndWith("# EOF\n");
});

test("leadership, requests, refusals, queues, nodes and proposals are told as they are", async () => {
  await addNode(running.server, "n1");
  expect((await post({ tenant: "default", entrypoint: "true", nodes: 50 })).status).toBe(201);
  expect((await post({ tenant: "nobody", entrypoint: "true" })).status).toBe(404);
  const text = await scrape();
  expect(seriesValue(text, "lattice_raft_leader")).toBe(1);
  expect(seriesValue(text, 'lattice_raft_members{role="leader"}')).toBe(1);
  expect(seriesValue(text, 'lattice_nodes{state="ready"}')).toBe(1);
  expect(seriesValue(text, 'lattice_allocations{state="pending"}')).toBe(1);
  expect(seriesValue(text, 'lattice_scheduling_queue_depth{vcluster="default"}')).toBe(1);
  const submits = 'lattice_api_requests_total{face="rest",operation="allocation.submit"';
  expect(seriesValue(text, `${submits},code="ok"}`)).toBe(1);
  expect(seriesValue(text, `${submits},code="TENANT_NOT_FOUND"}`)).toBe(1);
  expect(
    seriesValue(text, 'lattice_raft_proposals_total{command="submit-allocation",code="ok"}'),
  ).toBeGreaterThanOrEqual(1);
  expect(seriesValue(text, "lattice_raft_commit_latency_seconds_count")).toBeGreaterThanOrEqual(3);
  expect(seriesValue(text, "lattice_raft_applied_index")).toBe(running.server.replica.applied);
  expect(seriesValue(text, "lattice_scheduling_cycle_duration_seconds_count")).toBeGreaterThanOrEqual(1);
});

test("a thousand more allocations add no series", async () => {
  const before = (await scrape()).split("\n").length;
  for (let i = 0; i < 1000; i += 50) {
    await Promise.all(Array.from({ length: 50 }, () => post({ tenant: "default", entrypoint: "true", nodes: 50 })));
  }
  const text = await scrape();
  expect(seriesValue(text, 'lattice_allocations{state="pending"}')).toBe(1001);
  expect(text.split("\n").length).toBe(before);
});

const prometheus = Bun.which("prometheus");
if (prometheus === null) console.log("left out: reading /metrics with Prometheus needs the package prometheus");

test.skipIf(prometheus === null)(
  "Prometheus reads it",
  async () => {
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: api.fetch });
    const dir = mkdtempSync(join(tmpdir(), "lattice-prometheus-"));
    const [port = 0] = await freePorts(1);
    const config = `scrape_configs: [{job_name: lattice, scrape_interval: 1s, static_configs: [{targets: ["127.0.0.1:${server.port}"]}]}]`;
    writeFileSync(join(dir, "prometheus.yml"), config);
    const flags = [`--config.file=${dir}/prometheus.yml`, `--storage.tsdb.path=${dir}/data`];
    const child = Bun.spawn([prometheus ?? "", ...flags, `--web.listen-address=127.0.0.1:${port}`], {
      stdio: ["ignore", "ignore", "ignore"],
    });
    try {
      const ask = async (query: string): Promise<string | undefined> => {
        const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`;
        // While it starts, nobody listens yet, and then it answers 503 with a line of text.
        const response = await fetch(url).catch(() => undefined);
        if (response?.ok !== true) return undefined;
        const answer = await response.json();
        return answer?.data?.result?.[0]?.value?.[1];
      };
      let up: string | undefined;
      for (let i = 0; i < 300 && up === undefined; i++) {
        up = await ask("up");
        if (up === undefined) await Bun.sleep(100);
      }
      const { data } = await (await fetch(`http://127.0.0.1:${port}/api/v1/targets`)).json();
      expect(data.activeTargets[0].lastError).toBe("");
      expect(up).toBe("1");
      expect(await ask('lattice_allocations{state="pending"}')).toBe("1001");
    } finally {
      child.kill("SIGKILL");
      await child.exited;
      await server.stop(true);
      rmSync(dir, { recursive: true, force: true });
    }
  },
  60_000,
); // Prometheus looks for targets only five seconds after its start.
