/** A cluster with agents for the bench: a vCluster that shares nodes, so that many small jobs run at once. */
import { Cluster, until } from "../e2e/cluster.ts";

/** As many processors as a node of the Slurm that figures are compared with. */
const NODE_CPUS = 16;
/** Work of an open server is nobody's in particular; as root, the agent must be told whose. */
const USER_FLAGS = process.getuid?.() === 0 ? ["--default-user", "root"] : [];

/** What every job of the bench says, beside its program. */
export const SMALL_JOB = { tenant: "default", vcluster: "default/bench", cpus_per_node: 1 };

/** Starts a server and so many agents, each with its process id. */
export async function startWorkCluster(
  agents: number,
): Promise<{ readonly cluster: Cluster; readonly agentPids: readonly number[] }> {
  const cluster = await Cluster.start();
  const agentPids: number[] = [];
  for (let i = 1; i <= agents; i++) {
    const flags = ["--cpu-cores", String(NODE_CPUS), "--memory-gb", "4", ...USER_FLAGS];
    const agent = cluster.launchAgent(`n${i}`, { flags });
    await cluster.nodeIs(`n${i}`, "ready");
    agentPids.push(agent.pid);
  }
  await cluster.post("/api/v1/vclusters", { tenant: "default", name: "bench", shares_nodes: true });
  return { cluster, agentPids };
}

/** Waits until no allocation waits or runs. */
export async function untilAllEnded(cluster: Cluster): Promise<void> {
  const open = "/api/v1/allocations?state=pending,staging,running&limit=1";
  await until("all has ended", async () => isEmpty(await cluster.get(open)), 300_000);
}

const isEmpty = (body: unknown): boolean => Array.isArray(body) && body.length === 0;
