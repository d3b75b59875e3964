/** What an agent tells of the moment: its node, its link, its workloads by stage. */
import { STAGES } from "../../core/agent/agent.ts";
import type { NodeCapacity } from "../../core/domain/resources.ts";
import type { Metrics } from "../../ports/metrics.ts";
import type { AgentDriver } from "./agent-driver.ts";

const one = (value: number) => [{ labels: {}, value }];

/** Has the figures of the moment told: the node, the link, the workloads by stage. */
export function meterAgent(metrics: Metrics, driver: AgentDriver, capacity: NodeCapacity): void {
  metrics.read("lattice_node_up", () => one(1));
  metrics.read("lattice_node_cpu_cores", () => one(capacity.cpus));
  metrics.read("lattice_node_memory_bytes", () => one(capacity.memoryBytes));
  metrics.read("lattice_node_gpu_count", () => one(capacity.gpuMilli / 1000));
  metrics.read("lattice_agent_connected", () => one(driver.isConnected ? 1 : 0));
  metrics.read("lattice_agent_workloads", () => {
    const counts = new Map(STAGES.map((stage) => [stage, 0]));
    for (const { stage } of driver.agent.workloads.values()) counts.set(stage, (counts.get(stage) ?? 0) + 1);
    return [...counts].map(([stage, value]) => ({ labels: { stage }, value }));
  });
}
