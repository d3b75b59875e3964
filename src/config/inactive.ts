/**
 * THE list of what this build accepts in a configuration but does not act on, by section
 * or by key, each with its capability. It may only shrink: a capability that arrives
 * takes its rows away.
 */
export const INACTIVE: Readonly<Record<string, string>> = {
  role: "machine roles",
  "quorum.bind_network": "choice of network",
  "api.bind_network": "choice of network",
  storage: "S3, shared storage and VAST",
  "telemetry.default_mode": "metrics of work",
  "telemetry.ebpf_programs_path": "metrics of work",
  "node_agent.bind_network": "choice of network",
  network: "Slingshot virtual networks",
  "checkpoint.evaluation_interval_seconds": "periodic checkpoints",
  "checkpoint.max_deferral_seconds": "periodic checkpoints",
  "scheduling.budget_period_days": "budgets",
  accounting: "accounting",
  "rate_limit.attach_max_concurrent": "terminals",
  "rate_limit.query_metrics_per_minute": "metrics of work",
  "rate_limit.stream_metrics_max_concurrent": "metrics of work",
  "rate_limit.diagnostics_per_minute": "metrics of work",
  "rate_limit.compare_per_minute": "metrics of work",
  federation: "federation",
  "compat.partition_mapping": "Slurm partitions",
  "compat.qos_mapping": "Slurm QOS",
};

/** Returns the capability that a key waits for, or undefined when the key is active. */
export function inactiveCapability(path: readonly PropertyKey[]): string | undefined {
  return INACTIVE[path.join(".")] ?? INACTIVE[String(path[0])];
}
