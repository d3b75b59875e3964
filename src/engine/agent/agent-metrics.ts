/** The agent's figures as OpenMetrics text. */
import { STAGES } from "../../core/agent/agent.ts";
import type { NodeCapacity } from "../../core/domain/resources.ts";
import type { AgentDriver } from "./agent-driver.ts";

const GIB = 1024 ** 3;

/** Returns the text of /metrics. */
export function agentMetrics(driver: AgentDriver, capacity: NodeCapacity): string {
  const counts = new Map(STAGES.map((stage) => [stage, 0]));
  for (const { stage } of driver.agent.workloads.values()) counts.set(stage, (counts.get(stage) ?? 0) + 1);
  const lines = [
    ...gauge("lattice_node_up", "The agent of the node runs", 1),
    ...gauge("lattice_node_cpu_cores", "Processors of the node", capacity.cpus),
    ...gauge("lattice_node_memory_gb", "Memory of the node in GiB", capacity.memoryBytes / GIB),
    ...gauge("lattice_node_gpu_count", "GPUs of the node", capacity.gpuMilli / 1000),
    ...gauge("lattice_agent_connected", "A server has taken the agent in", driver.isConnected ? 1 : 0),
    "# TYPE lattice_agent_workloads gauge",
    "# HELP lattice_agent_workloads Workloads on the node by stage",
    ...[...counts].map(([stage, count]) => `lattice_agent_workloads{stage="${stage}"} ${count}`),
    "# EOF",
  ];
  return `${lines.join("\n")}\n`;
}

const gauge = (name: string, help: string, value: number): readonly string[] => [
  `# TYPE ${name} gauge`,
  `# HELP ${name} ${help}`,
  `${name} ${value}`,
];
