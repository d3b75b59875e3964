/** A cluster with agents for the bench: a vCluster that shares nodes, so that many small jobs run at once. */
import { Cluster, until } from "../e2e/cluster.ts";

/** As many processors as a node of the Slurm that figures are compared with. */
const NODE_CPUS = 16;

/** What every job of the bench says, beside its program. */
export const SMALL_JOB = { tenant: "default", vcluster: "default/bench", cpus_per_node: 1 };

/** Starts a server and so many agents, each with its process id. */
export async function startWorkCluster(
  agents: number,
): Promise<{ readonly cluster: Cluster; readonly agentPids: readonly number[] }> {
  const cluster = await Cluster.start();
  try {
    return { cluster, agentPids: await prepare(cluster, agents) };
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

async function prepare(cluster: Cluster, agents: number): Promise<readonly number[]> {
  const pids: number[] = [];
  for (let i = 1; i <= agents; i++) {
    const flags = ["--cpu-cores", String(NODE_CPUS), "--memory-gb", "4"];
    pids.push(cluster.launchAgent(`n${i}`, { flags }).pid);
    await cluster.nodeIs(`n${i}`, "ready");
  }
  await cluster.post("/api/v1/vclusters", { tenant_id: "default", name: "bench", node_sharing: true });
  return pids;
}

/** Waits until no allocation waits or runs. */
export async function untilAllEnded(cluster: Cluster): Promise<void> {
  const open = "/api/v1/allocations?state=pending,staging,running&limit=1";
  await until("all has ended", async () => isEmpty(await cluster.get(open)), 300_000);
}

const isEmpty = (body: unknown): boolean => Array.isArray(body) && body.length === 0;
