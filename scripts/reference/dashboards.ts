/** The Grafana dashboards, each a list of questions with the query that answers it. infra/grafana holds what is made from them. */

/** How a panel shows its figures. */
type Unit = "short" | "s" | "reqps" | "bytes" | "bool";

/** One panel: its title, what its numbers are, and its queries by legend. */
export interface Panel {
  readonly title: string;
  readonly unit: Unit;
  readonly queries: Readonly<Record<string, string>>;
}

/** One dashboard. */
export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly refresh: string;
  /** A metric's label to choose by, if any. */
  readonly variable?: { readonly name: string; readonly metric: string };
  readonly panels: readonly Panel[];
}

const p = (quantile: number, metric: string, by = "") =>
  `histogram_quantile(${quantile}, sum by (${by}le) (rate(${metric}_bucket[$__rate_interval])))`;
const rate = (metric: string, by: string) => `sum by (${by}) (rate(${metric}[$__rate_interval]))`;

/** All dashboards. */
export const DASHBOARDS: readonly Dashboard[] = [
  {
    uid: "lattice-overview",
    title: "Lattice overview",
    refresh: "30s",
    panels: [
      { title: "Nodes by state", unit: "short", queries: { "{{state}}": "max by (state) (lattice_nodes)" } },
      {
        title: "Allocations by state",
        unit: "short",
        queries: { "{{state}}": "max by (state) (lattice_allocations)" },
      },
      {
        title: "Waiting",
        unit: "short",
        queries: { "{{vcluster}}": "max by (vcluster) (lattice_scheduling_queue_depth)" },
      },
      {
        title: "Ended",
        unit: "reqps",
        queries: { "{{state}}": `max by (state) (rate(lattice_allocations_ended_total[$__rate_interval]))` },
      },
      { title: "A server leads", unit: "bool", queries: { leader: "max(lattice_raft_leader)" } },
      { title: "Agents connected", unit: "short", queries: { "{{instance}}": "lattice_agents_connected" } },
      {
        title: "Scheduling pass",
        unit: "s",
        queries: {
          p95: p(0.95, "lattice_scheduling_cycle_duration_seconds"),
          p50: p(0.5, "lattice_scheduling_cycle_duration_seconds"),
        },
      },
      {
        title: "Requests",
        unit: "reqps",
        queries: { "{{face}} {{operation}}": rate("lattice_api_requests_total", "face, operation") },
      },
      {
        title: "Errors",
        unit: "reqps",
        queries: { "{{operation}} {{code}}": rate('lattice_api_requests_total{code!="ok"}', "operation, code") },
      },
      {
        title: "Time to the answer",
        unit: "s",
        queries: { "p95 {{operation}}": p(0.95, "lattice_api_request_duration_seconds", "operation, ") },
      },
    ],
  },
  {
    uid: "lattice-quorum",
    title: "Lattice quorum",
    refresh: "10s",
    panels: [
      { title: "Leader", unit: "bool", queries: { "{{instance}}": "lattice_raft_leader" } },
      { title: "Members", unit: "short", queries: { "{{role}}": "max by (role) (lattice_raft_members)" } },
      { title: "Term", unit: "short", queries: { "{{instance}}": "lattice_raft_term" } },
      {
        title: "Elections",
        unit: "short",
        queries: { "{{instance}}": "increase(lattice_raft_elections_total[$__rate_interval])" },
      },
      {
        title: "Changes of leader",
        unit: "short",
        queries: { "{{instance}}": "increase(lattice_raft_leader_changes_total[$__rate_interval])" },
      },
      {
        title: "Committed entries",
        unit: "reqps",
        queries: { "{{instance}}": "rate(lattice_raft_commit_index[$__rate_interval])" },
      },
      {
        title: "From proposal to outcome",
        unit: "s",
        queries: {
          p99: p(0.99, "lattice_raft_commit_latency_seconds"),
          p50: p(0.5, "lattice_raft_commit_latency_seconds"),
        },
      },
      {
        title: "Proposals",
        unit: "reqps",
        queries: { "{{command}} {{code}}": rate("lattice_raft_proposals_total", "command, code") },
      },
      { title: "In flight", unit: "short", queries: { "{{instance}}": "lattice_raft_proposals_in_flight" } },
      {
        title: "Entries that a member lacks",
        unit: "short",
        queries: { "member {{member}}": "max by (member) (lattice_raft_member_lag_entries)" },
      },
      {
        title: "Silence of members",
        unit: "s",
        queries: { "{{instance}} of {{member}}": "lattice_raft_member_silence_seconds" },
      },
      {
        title: "Committed and not applied",
        unit: "short",
        queries: { "{{instance}}": "lattice_raft_commit_index - lattice_raft_applied_index" },
      },
      { title: "Applied and not on disk", unit: "short", queries: { "{{instance}}": "lattice_mirror_lag_entries" } },
      {
        title: "Lateness of the main loop",
        unit: "s",
        queries: { "p99 {{instance}}": p(0.99, "lattice_loop_lag_seconds", "instance, ") },
      },
      {
        title: "Memory",
        unit: "bytes",
        queries: { "{{instance}}": 'process_resident_memory_bytes{job="lattice-server"}' },
      },
      {
        title: "Processors used",
        unit: "short",
        queries: { "{{instance}}": 'rate(process_cpu_seconds_total{job="lattice-server"}[$__rate_interval])' },
      },
    ],
  },
  {
    uid: "lattice-vcluster",
    title: "Lattice vCluster",
    refresh: "30s",
    variable: { name: "vcluster", metric: "lattice_scheduling_queue_depth" },
    panels: [
      {
        title: "Waiting",
        unit: "short",
        queries: { "{{vcluster}}": 'max by (vcluster) (lattice_scheduling_queue_depth{vcluster=~"$vcluster"})' },
      },
      {
        title: "Placements, all vClusters",
        unit: "reqps",
        queries: { "{{result}}": rate("lattice_scheduling_proposals_total", "result") },
      },
      {
        title: "Scheduling pass, all vClusters",
        unit: "s",
        queries: { p95: p(0.95, "lattice_scheduling_cycle_duration_seconds") },
      },
    ],
  },
  {
    uid: "lattice-assurance",
    title: "Lattice assurance",
    refresh: "1m",
    panels: [
      { title: "Entries of the audit log", unit: "short", queries: { entries: "max(lattice_audit_entries)" } },
      {
        title: "Verified of them",
        unit: "short",
        queries: { "{{instance}}": "lattice_audit_verified_entries" },
      },
      { title: "Problems of the audit log", unit: "short", queries: { "{{instance}}": "lattice_audit_problems" } },
      {
        title: "Requests that were refused",
        unit: "reqps",
        queries: { "{{code}}": rate('lattice_api_requests_total{code!="ok"}', "code") },
      },
      {
        title: "Builds that run",
        unit: "short",
        queries: { "{{job}} {{version}} {{commit}}": "count by (job, version, commit) (lattice_build_info)" },
      },
      {
        title: "Time since the start",
        unit: "s",
        queries: { "{{instance}}": 'time() - process_start_time_seconds{job="lattice-server"}' },
      },
      {
        title: "Longest stall of the main loop",
        unit: "s",
        queries: { "{{instance}}": "lattice_loop_stall_max_seconds" },
      },
      {
        title: "Longest time without the leader",
        unit: "s",
        queries: { "{{instance}}": "lattice_raft_leader_silence_max_seconds" },
      },
    ],
  },
  {
    uid: "lattice-nodes",
    title: "Lattice nodes",
    refresh: "30s",
    variable: { name: "instance", metric: "lattice_node_up" },
    panels: [
      {
        title: "Connected",
        unit: "bool",
        queries: { "{{instance}}": 'lattice_agent_connected{instance=~"$instance"}' },
      },
      {
        title: "Workloads",
        unit: "short",
        queries: { "{{instance}} {{stage}}": 'lattice_agent_workloads{instance=~"$instance"}' },
      },
      {
        title: "Ends",
        unit: "reqps",
        queries: {
          "{{instance}} {{cause}}":
            'rate(lattice_agent_workloads_ended_total{instance=~"$instance"}[$__rate_interval])',
        },
      },
      { title: "Time to start", unit: "s", queries: { p95: p(0.95, "lattice_agent_allocation_startup_seconds") } },
      {
        title: "Processors",
        unit: "short",
        queries: { "{{instance}}": 'lattice_node_cpu_cores{instance=~"$instance"}' },
      },
      {
        title: "Memory of the node",
        unit: "bytes",
        queries: { "{{instance}}": 'lattice_node_memory_bytes{instance=~"$instance"}' },
      },
      { title: "GPUs", unit: "short", queries: { "{{instance}}": 'lattice_node_gpu_count{instance=~"$instance"}' } },
      {
        title: "Longest silence of an agent",
        unit: "s",
        queries: { "{{instance}}": "lattice_agent_silence_max_seconds" },
      },
      {
        title: "Between two messages of an agent",
        unit: "s",
        queries: { p99: p(0.99, "lattice_agent_heartbeat_interval_seconds") },
      },
    ],
  },
];

const COLUMNS = 3;
const HEIGHT = 8;
const WIDTH = 24 / COLUMNS;
const DATASOURCE = { type: "prometheus", uid: "lattice-metrics" };

/** Returns a dashboard as Grafana reads it. */
export function renderDashboard({ uid, title, refresh, variable, panels }: Dashboard): string {
  const model = {
    uid,
    title,
    tags: ["lattice"],
    refresh,
    schemaVersion: 39,
    time: { from: "now-3h", to: "now" },
    templating: { list: variable === undefined ? [] : [variableOf(variable)] },
    panels: panels.map(panelOf),
  };
  return `${JSON.stringify(model, null, 2)}\n`;
}

const variableOf = ({ name, metric }: NonNullable<Dashboard["variable"]>) => ({
  name,
  type: "query",
  datasource: DATASOURCE,
  query: `label_values(${metric}, ${name})`,
  includeAll: true,
  multi: true,
  allValue: ".*",
  current: { text: "All", value: "$__all" },
  refresh: 2,
});

function panelOf({ title, unit, queries }: Panel, i: number) {
  return {
    id: i + 1,
    title,
    type: unit === "bool" ? "stat" : "timeseries",
    datasource: DATASOURCE,
    gridPos: { x: (i % COLUMNS) * WIDTH, y: Math.floor(i / COLUMNS) * HEIGHT, w: WIDTH, h: HEIGHT },
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    targets: Object.entries(queries).map(([legendFormat, expr], n) => ({
      refId: String.fromCharCode("A".charCodeAt(0) + n),
      expr,
      legendFormat,
    })),
  };
}
