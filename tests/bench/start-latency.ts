/** How long after its submission a job's process starts, on an idle cluster. The job writes the time itself. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../e2e/cluster.ts";
import type { Figure } from "./figure.ts";
import { percentile } from "./figure.ts";
import { SMALL_JOB, startWorkCluster, untilAllEnded } from "./work-cluster.ts";

const WARM_UP = 5;
const SAMPLES = 60;

/** Measures one job after another, each when the one before has ended. */
export async function startLatency(): Promise<readonly Figure[]> {
  const { cluster } = await startWorkCluster(1);
  const folder = join(cluster.dir, "starts");
  mkdirSync(folder, { mode: 0o777 });
  try {
    const latencies: number[] = [];
    for (let i = 0; i < WARM_UP + SAMPLES; i++) {
      const file = join(folder, String(i));
      const submitted = performance.timeOrigin + performance.now();
      await cluster.submit({ ...SMALL_JOB, entrypoint: `date +%s%N > ${file}` });
      const written = () => existsSync(file) && readFileSync(file, "utf8").endsWith("\n");
      await until("the job has started", written);
      if (i >= WARM_UP) latencies.push(Number(readFileSync(file, "utf8")) / 1e6 - submitted);
      await untilAllEnded(cluster);
      await Bun.sleep(20);
    }
    const note = `${SAMPLES} jobs, one after another`;
    return [
      { name: "submit to start, p50", value: percentile(latencies, 50), unit: "ms", target: { atMost: 50 }, note },
      { name: "submit to start, p99", value: percentile(latencies, 99), unit: "ms" },
    ];
  } finally {
    await cluster.stop();
  }
}
