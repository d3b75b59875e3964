/**
 * How long a server that was killed takes to serve again, with 100,000 ended allocations
 * behind it. They are members of workflows that were cancelled: the cheapest way to an end.
 */
import { Cluster } from "../e2e/cluster.ts";
import type { Figure } from "./figure.ts";
import { median, spread } from "./figure.ts";

const ENDED = 100_000;
const MEMBERS = 1_000;

/** Measures from the start of the process to the first answered request. */
export async function restartTime(rounds: number): Promise<readonly Figure[]> {
  const cluster = await Cluster.start();
  try {
    for (let i = 0; i < ENDED / MEMBERS; i++) {
      const allocations = Array.from({ length: MEMBERS }, (_, n) => ({ name: `m${n}`, entrypoint: "true" }));
      const { dag_id: id } = await cluster.post("/api/v1/dags", { tenant: "default", allocations });
      await cluster.post(`/api/v1/dags/${id}/cancel`);
    }
    const times: number[] = [];
    for (let i = 0; i < rounds; i++) {
      await cluster.killServer();
      const began = performance.now();
      await cluster.startServer();
      await cluster.get("/api/v1/allocations?limit=1");
      times.push((performance.now() - began) / 1_000);
    }
    const name = `restart after kill -9, ${ENDED} ended`;
    return [{ name, value: median(times), unit: "s", target: { atMost: 3 }, note: spread(times) }];
  } finally {
    await cluster.stop();
  }
}
