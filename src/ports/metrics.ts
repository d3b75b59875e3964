/**
 * THE metric catalogue: every figure that a server or an agent tells on /metrics, and the
 * port through which loops and faces tell it. Labels take few values, none of which a
 * caller can invent; docs/reference/metrics.md is generated from here.
 */

/** What a metric is. */
export interface MetricSpec {
  readonly kind: "counter" | "gauge" | "histogram";
  /** Which programs tell it. */
  readonly of: readonly ("server" | "agent")[];
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram, in seconds. */
  readonly buckets?: readonly number[];
}

const FAST = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const PASS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const WAIT = [0.1, 0.5, 1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 300];
const START = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

const SERVER = ["server"] as const;
const AGENT = ["agent"] as const;
const BOTH = ["server", "agent"] as const;

/** Every metric, by name. The name ends with the unit, or with _total for a counter. */
export const METRICS = {
  lattice_build_info: {
    kind: "gauge",
    of: BOTH,
    help: "Always 1; the labels say which build runs.",
    labels: ["version", "commit"],
  },
  process_cpu_seconds_total: {
    kind: "counter",
    of: BOTH,
    help: "Processor time of the process, user and system.",
    labels: [],
  },
  process_resident_memory_bytes: { kind: "gauge", of: BOTH, help: "Resident memory of the process.", labels: [] },
  process_start_time_seconds: {
    kind: "gauge",
    of: BOTH,
    help: "When the process started, in seconds since the epoch.",
    labels: [],
  },
  lattice_loop_lag_seconds: {
    kind: "histogram",
    of: BOTH,
    help: "How late the timers of the main loop fire: time during which it did nothing else.",
    labels: [],
    buckets: FAST,
  },
  lattice_loop_stall_max_seconds: {
    kind: "gauge",
    of: BOTH,
    help: "Longest time since the process started in which its main loop came to nothing else.",
    labels: [],
  },

  lattice_certificate_end_time_seconds: {
    kind: "gauge",
    of: BOTH,
    help: "When the certificate in use ends, in seconds since the epoch; absent without one.",
    labels: [],
  },

  lattice_api_requests_total: {
    kind: "counter",
    of: SERVER,
    help: "Requests answered, by face (rest, rpc), operation, and code: ok or the reason of the error.",
    labels: ["face", "operation", "code"],
  },
  lattice_api_request_duration_seconds: {
    kind: "histogram",
    of: SERVER,
    help: "Time to the answer; for a stream, to its beginning.",
    labels: ["face", "operation"],
    buckets: FAST,
  },
  lattice_api_active_streams: {
    kind: "gauge",
    of: SERVER,
    help: "Watchers of events that are connected to this server.",
    labels: ["stream_type"],
  },

  lattice_raft_leader: { kind: "gauge", of: SERVER, help: "1 on the server that leads, else 0.", labels: [] },
  lattice_raft_has_leader: { kind: "gauge", of: SERVER, help: "1 while this server knows a leader.", labels: [] },
  lattice_raft_term: { kind: "gauge", of: SERVER, help: "Current term.", labels: [] },
  lattice_raft_elections_total: {
    kind: "counter",
    of: SERVER,
    help: "Terms that began since this server started.",
    labels: [],
  },
  lattice_raft_leader_changes_total: {
    kind: "counter",
    of: SERVER,
    help: "Times that another server than before led, as this server saw it.",
    labels: [],
  },
  lattice_raft_commit_index: { kind: "gauge", of: SERVER, help: "Last entry known to be committed.", labels: [] },
  lattice_raft_applied_index: { kind: "gauge", of: SERVER, help: "Last entry applied to the state.", labels: [] },
  lattice_raft_members: { kind: "gauge", of: SERVER, help: "Members of the quorum.", labels: ["role"] },
  lattice_raft_member_lag_entries: {
    kind: "gauge",
    of: SERVER,
    help: "Committed entries that a member lacks; told by the leader only.",
    labels: ["member"],
  },
  lattice_raft_member_silence_seconds: {
    kind: "gauge",
    of: SERVER,
    help: "Time since this server last heard a member; no value while it never has.",
    labels: ["member"],
  },
  lattice_raft_leader_silence_max_seconds: {
    kind: "gauge",
    of: SERVER,
    help: "Longest time since the process started that it went without a word of a leader that it followed.",
    labels: [],
  },
  lattice_raft_proposals_total: {
    kind: "counter",
    of: SERVER,
    help: "Changes proposed by this server that ended, by command and code: ok or the reason of the refusal.",
    labels: ["command", "code"],
  },
  lattice_raft_proposals_in_flight: {
    kind: "gauge",
    of: SERVER,
    help: "Changes proposed by this server that wait for their outcome.",
    labels: [],
  },
  lattice_raft_commit_latency_seconds: {
    kind: "histogram",
    of: SERVER,
    help: "From a proposal of this server to its outcome here: replicated, committed and applied.",
    labels: [],
    buckets: FAST,
  },
  lattice_mirror_lag_entries: {
    kind: "gauge",
    of: SERVER,
    help: "Applied entries that the state on disk does not show yet.",
    labels: [],
  },

  lattice_allocations: {
    kind: "gauge",
    of: SERVER,
    help: "Allocations that have not ended, by state.",
    labels: ["state"],
  },
  lattice_allocations_ended_total: {
    kind: "counter",
    of: SERVER,
    help: "Allocations that ended while this server ran, by final state.",
    labels: ["state"],
  },
  lattice_nodes: { kind: "gauge", of: SERVER, help: "Nodes by state.", labels: ["state"] },
  lattice_scheduling_queue_depth: {
    kind: "gauge",
    of: SERVER,
    help: "Pending allocations by vCluster; beyond 100 vClusters the rest is told as _other.",
    labels: ["vcluster"],
  },
  lattice_scheduling_cycle_duration_seconds: {
    kind: "histogram",
    of: SERVER,
    help: "Time that a scheduling pass takes to plan.",
    labels: [],
    buckets: PASS,
  },
  lattice_scheduling_proposals_total: {
    kind: "counter",
    of: SERVER,
    help: "Placements proposed by scheduling passes, by result: accepted or refused by the state.",
    labels: ["result"],
  },
  lattice_scheduling_preemptions_total: {
    kind: "counter",
    of: SERVER,
    help: "Allocations that were asked to make room for others.",
    labels: [],
  },

  lattice_wipes_total: {
    kind: "counter",
    of: SERVER,
    help: "Wipes of nodes after sensitive work that agents of this server have ended, by result: done or failed.",
    labels: ["result"],
  },
  lattice_audit_entries: {
    kind: "gauge",
    of: SERVER,
    help: "Entries of the audit log so far, archived ones included.",
    labels: [],
  },
  lattice_audit_verified_entries: {
    kind: "gauge",
    of: SERVER,
    help: "Up to which entry of the audit log this server has verified hashes and signatures.",
    labels: [],
  },
  lattice_audit_last_verified_timestamp_seconds: {
    kind: "gauge",
    of: SERVER,
    help: "When this server last had the whole audit log verified, in seconds since the epoch; no value before.",
    labels: [],
  },
  lattice_audit_problems: {
    kind: "gauge",
    of: SERVER,
    help: "What this server found wrong with the audit log when it last verified it; 0 is as it should be.",
    labels: [],
  },

  lattice_agents_connected: {
    kind: "gauge",
    of: SERVER,
    help: "Agents whose stream ends at this server.",
    labels: [],
  },
  lattice_agent_heartbeat_interval_seconds: {
    kind: "histogram",
    of: SERVER,
    help: "Time between two messages of an agent of this server.",
    labels: [],
    buckets: WAIT,
  },
  lattice_agent_silence_max_seconds: {
    kind: "gauge",
    of: SERVER,
    help: "Silence of the agent of this server that was not heard for longest; no value without agents.",
    labels: [],
  },

  lattice_node_up: { kind: "gauge", of: AGENT, help: "Always 1: the agent of the node runs.", labels: [] },
  lattice_node_cpu_cores: { kind: "gauge", of: AGENT, help: "Processors of the node.", labels: [] },
  lattice_node_memory_bytes: { kind: "gauge", of: AGENT, help: "Memory of the node.", labels: [] },
  lattice_node_gpu_count: { kind: "gauge", of: AGENT, help: "GPUs of the node.", labels: [] },
  lattice_agent_connected: { kind: "gauge", of: AGENT, help: "1 while a server has taken the agent in.", labels: [] },
  lattice_agent_workloads: { kind: "gauge", of: AGENT, help: "Workloads on the node by stage.", labels: ["stage"] },
  lattice_agent_allocation_startup_seconds: {
    kind: "histogram",
    of: AGENT,
    help: "From the moment that a workload is wanted to its start.",
    labels: [],
    buckets: START,
  },
  lattice_agent_workloads_ended_total: {
    kind: "counter",
    of: AGENT,
    help: "Workloads that ended on the node, by cause.",
    labels: ["cause"],
  },
  lattice_agent_failures_total: {
    kind: "counter",
    of: AGENT,
    help: "Steps that failed on workloads, by step: prepare, start or kill.",
    labels: ["step"],
  },
} as const satisfies Record<string, MetricSpec>;

/** The name of a metric. */
export type MetricName = keyof typeof METRICS;

/** The names of one kind. */
export type NameOf<Kind extends MetricSpec["kind"]> = {
  [Name in MetricName]: (typeof METRICS)[Name]["kind"] extends Kind ? Name : never;
}[MetricName];

/** A value for each label of a metric. */
export type LabelsOf<Name extends MetricName> = Readonly<Record<(typeof METRICS)[Name]["labels"][number], string>>;

/** One series of a metric at one moment. */
export interface Sample<Name extends MetricName> {
  readonly labels: LabelsOf<Name>;
  readonly value: number;
}

/** Takes figures in. */
export interface Metrics {
  count<Name extends NameOf<"counter">>(name: Name, labels: LabelsOf<Name>, amount?: number): void;
  /** Takes a duration in seconds. */
  observe<Name extends NameOf<"histogram">>(name: Name, labels: LabelsOf<Name>, seconds: number): void;
  /** Has the series of a metric read anew at each scrape; reading must be cheap, whatever the size of the cluster. */
  read<Name extends NameOf<"gauge" | "counter">>(name: Name, series: () => readonly Sample<Name>[]): void;
}

/** Figures that can be scraped. */
export interface Exposition {
  readonly contentType: string;
  text(): Promise<string>;
}

/** Takes figures in and forgets them: for tests and the simulator. */
export const NO_METRICS: Metrics = {
  count() {},
  observe() {},
  read() {},
};
