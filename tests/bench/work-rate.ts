/** How many jobs of `true` a second run through four agents, from the first submission to the last end. */
import type { Cluster } from "../e2e/cluster.ts";
import { until } from "../e2e/cluster.ts";
import type { Figure } from "./figure.ts";
import { median, spread } from "./figure.ts";
import { sendOverHttp } from "./http-load.ts";
import { SMALL_JOB, startWorkCluster, untilAllEnded } from "./work-cluster.ts";

const JOBS = 1_000;
const CLI_JOBS = 200;

/** Measures single jobs over REST, an array, and single jobs through the CLI, as people submit them. */
export async function workRates(rounds: number): Promise<readonly Figure[]> {
  const { cluster } = await startWorkCluster(4);
  try {
    await runSingles(cluster, 100);
    const singles: number[] = [];
    const arrays: number[] = [];
    for (let i = 0; i < rounds; i++) {
      singles.push(await runSingles(cluster, JOBS));
      arrays.push(await runArray(cluster, JOBS));
    }
    const cli = await runThroughCli(cluster);
    return [
      { name: `run true, ${JOBS} singles, 4 agents`, value: median(singles), unit: "/s", note: spread(singles) },
      { name: `run true, array of ${JOBS}, 4 agents`, value: median(arrays), unit: "/s", note: spread(arrays) },
      { name: `lattice submit, ${CLI_JOBS} one after another`, value: cli.submitted, unit: "/s" },
      { name: `lattice submit, ${CLI_JOBS} to all done`, value: cli.done, unit: "/s" },
    ];
  } finally {
    await cluster.stop();
  }
}

async function runSingles(cluster: Cluster, jobs: number): Promise<number> {
  const body = JSON.stringify({ ...SMALL_JOB, entrypoint: "true" });
  const headers = { "content-type": "application/json" };
  const load = { port: Number(new URL(cluster.url).port), path: "/api/v1/allocations", headers, body };
  const connections = 16;
  let left = jobs - connections;
  const began = performance.now();
  const count = await sendOverHttp(load, connections, () => left-- <= 0);
  await untilAllEnded(cluster);
  return (count * 1_000) / (performance.now() - began);
}

async function runThroughCli(cluster: Cluster): Promise<{ readonly submitted: number; readonly done: number }> {
  const flags = ["--vcluster", SMALL_JOB.vcluster, "--cpus", "1", "-q", "--", "true"];
  const began = performance.now();
  for (let i = 0; i < CLI_JOBS; i++) {
    const { code, stderr } = await cluster.cli("submit", ...flags);
    if (code !== 0) throw new Error(`lattice submit: ${stderr}`);
  }
  const submitted = (CLI_JOBS * 1_000) / (performance.now() - began);
  await untilAllEnded(cluster);
  return { submitted, done: (CLI_JOBS * 1_000) / (performance.now() - began) };
}

async function runArray(cluster: Cluster, tasks: number): Promise<number> {
  const began = performance.now();
  const id = await cluster.submit({ ...SMALL_JOB, entrypoint: "true", array: `1-${tasks}` });
  let state = "";
  await until(
    () => `array ${id} has ended; it is ${state}`,
    async () => {
      state = (await cluster.allocation(id)).state;
      return state === "completed";
    },
    300_000,
  );
  return (tasks * 1_000) / (performance.now() - began);
}
