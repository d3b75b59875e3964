/**
 * The replayed cluster: the production state machine, fed with the commands that servers
 * and agents would propose, in simulated time. Agents do as they are told at once.
 */
import type { LogIndex, Millis } from "../base/brand.ts";
import { logIndex, millis } from "../base/brand.ts";
import type { AllocationSpec } from "../core/domain/allocation.ts";
import { LatticeError } from "../core/domain/errors.ts";
import type { AllocationId, TenantId, UserId } from "../core/domain/ids.ts";
import { allocationId, nodeId, tenantId, userId } from "../core/domain/ids.ts";
import type { Claim } from "../core/domain/resources.ts";
import { DEFAULT_TENANT, DEFAULT_VCLUSTER, DEFAULT_WEIGHTS } from "../core/domain/tenant.ts";
import type { ClusterView, Decision } from "../core/domain/view.ts";
import type { PlannedPreemption } from "../core/scheduler/preempt.ts";
import { apply } from "../core/state/apply.ts";
import type { CommandBody, NodeReport, Output } from "../core/state/commands.ts";
import type { State } from "../core/state/state.ts";
import { emptyState, stateHash } from "../core/state/state.ts";
import { USAGE_HALF_LIFE_MS } from "../core/state/usage.ts";
import { viewOf } from "../core/state/view.ts";
import type { Machine } from "./machine.ts";
import type { TraceJob } from "./trace.ts";

const OPERATOR = userId("operator");
const QUOTA = { nodesMax: 1_000_000, fairShareTarget: 0 };

/** Work that has ended on its nodes. */
export interface Ended {
  readonly id: AllocationId;
  readonly claims: readonly Claim[];
  readonly attempt: number;
  readonly hasOutlastedWalltime: boolean;
}

export class Cluster {
  readonly #state: State = emptyState();
  readonly #tenants = new Set<TenantId>([DEFAULT_TENANT]);
  #index: LogIndex = logIndex(0);
  #submitted = 0;
  #now: Millis = millis(0);

  readonly #requeuePolicy: AllocationSpec["requeuePolicy"];

  /** Where work makes room for other work, it waits again. */
  constructor(machine: Machine, makesRoom = false) {
    this.#requeuePolicy = makesRoom ? "always" : "never";
    this.#propose({ kind: "initialize-cluster", clusterId: "replay", usageHalfLifeMs: USAGE_HALF_LIFE_MS });
    const { sharesNodes, weights = DEFAULT_WEIGHTS } = machine;
    this.#propose({ kind: "update-vcluster", vcluster: DEFAULT_VCLUSTER, sharesNodes, weights });
    for (const { name, capacity } of machine.nodes) {
      const node = nodeId(name);
      const registration = { nodeId: node, instanceId: name, agentVersion: "", address: "", capacity };
      this.#propose({ kind: "register-node", registration, issues: [] });
      const health = { health: "ready", reason: "", issues: [], isolatedUntil: this.#now } as const;
      this.#propose({ kind: "set-node-health", node, ...health });
    }
  }

  /** What the scheduler may read; valid until the next change. */
  view(): ClusterView {
    return viewOf(this.#state);
  }

  /** The hash of the whole state: equal runs end with equal hashes. */
  hash(): string {
    return stateHash(this.#state);
  }

  /** Moves time on; it never runs backwards. */
  setTime(now: Millis): void {
    this.#now = now;
  }

  /** Submits a job; its id is not its name, for a trace may name two alike. */
  submit(job: TraceJob, walltimeMs: Millis): AllocationId {
    const id = allocationId(`job-${this.#submitted++}`);
    const tenant = job.tenant === "" ? DEFAULT_TENANT : tenantId(job.tenant);
    if (!this.#tenants.has(tenant)) {
      this.#tenants.add(tenant);
      this.#propose({ kind: "create-tenant", tenant, name: tenant, quota: QUOTA, isolation: "standard" });
    }
    const spec = { ...specOf(job, { tenant, walltimeMs }), requeuePolicy: this.#requeuePolicy };
    const by = userId(job.user === "" ? "unknown" : job.user);
    this.#propose({ kind: "submit-allocation", allocation: { id, spec, dependencies: [] } }, by);
    return id;
  }

  /** Places what was decided, and starts it on every node at once. Returns what the state machine refused. */
  place(decisions: readonly Decision[], attemptOf: (id: AllocationId) => number): ReadonlySet<AllocationId> {
    const placements = decisions.map(({ allocation, version, claims }) => ({ allocation, version, claims }));
    const output = this.#propose({ kind: "assign-nodes", placements });
    const refused = output.kind === "assigned" ? output.refused.map((one) => one.allocation) : [];
    const reports: NodeReport[] = [];
    for (const { allocation, claims } of decisions) {
      const attempt = attemptOf(allocation);
      for (const { nodeId: node } of claims) reports.push({ node, report: { allocation, attempt, phase: "running" } });
    }
    this.#propose({ kind: "record-node-reports", reports });
    return new Set(refused);
  }

  /** Takes jobs out of the queue. */
  cancel(ids: readonly AllocationId[]): void {
    for (const target of ids) this.#propose({ kind: "cancel", target });
  }

  /** Takes in the ends that the agents of all nodes report. */
  end(all: readonly Ended[]): void {
    const reports: NodeReport[] = [];
    for (const { id: allocation, claims, attempt, hasOutlastedWalltime } of all) {
      const how = hasOutlastedWalltime ? ({ cause: "walltime", signal: 15 } as const) : { exitCode: 0 };
      for (const { nodeId: node } of claims) {
        reports.push({ node, report: { allocation, attempt, phase: "ended", ...how } });
      }
    }
    this.#propose({ kind: "record-node-reports", reports });
  }

  /** Has the victims make room for work that waits; their agents end them at once. */
  preempt(planned: PlannedPreemption, victims: readonly Ended[]): void {
    const preemption = { ...planned, holdUntil: millis(this.#now + 1), checkpointMs: millis(0) };
    this.#propose({ kind: "preempt-allocations", preemption });
    const reports = victims.flatMap(({ id: allocation, attempt, claims }) =>
      claims.map(({ nodeId: node }): NodeReport => {
        return { node, report: { allocation, attempt, phase: "ended", cause: "stopped", signal: 15 } };
      }),
    );
    this.#propose({ kind: "record-node-reports", reports });
  }

  #propose(body: CommandBody, by: UserId = OPERATOR): Output {
    this.#index = logIndex(this.#index + 1);
    const { outcome } = apply(this.#state, this.#index, { ...body, at: this.#now, by });
    if (!outcome.ok) throw new LatticeError(outcome.error);
    return outcome.value;
  }
}

function specOf(
  job: TraceJob,
  { tenant, walltimeMs }: { readonly tenant: TenantId; readonly walltimeMs: Millis },
): AllocationSpec {
  return {
    ...COMMON,
    name: job.name,
    tenant,
    walltimeMs,
    preemptionClass: job.priority ?? COMMON.preemptionClass,
    resources: {
      ...COMMON.resources,
      nodesMin: job.nodes,
      nodesMax: job.nodes,
      ...(job.perNode && { perNode: job.perNode }),
      ...(job.gpuType !== undefined && { gpuType: job.gpuType }),
    },
  };
}

const COMMON: AllocationSpec = {
  name: "",
  tenant: DEFAULT_TENANT,
  project: "",
  vcluster: DEFAULT_VCLUSTER,
  tags: {},
  program: { kind: "entrypoint", command: "true" },
  env: {},
  workdir: "",
  stdoutPath: "",
  stderrPath: "",
  runOn: "every",
  resources: {
    nodesMin: 1,
    nodesMax: 1,
    perNode: { cpus: 0, memoryBytes: 0, gpuMilli: 0 },
    isExclusive: false,
    gpuType: "",
    features: [],
    featureCounts: {},
    topology: "any",
    tasksPerNode: 1,
    cpusPerTask: 1,
  },
  lifecycle: "bounded",
  walltimeMs: millis(0),
  preemptionClass: 5,
  requeuePolicy: "never",
  requeueMax: 0,
  isolation: "rerun",
  gracePeriodMs: millis(30_000),
  isSensitive: false,
  dependsOn: [],
};
