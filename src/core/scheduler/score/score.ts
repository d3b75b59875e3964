/**
 * The score of an allocation: the weighed sum of nine factors, each from 0 to 1, with the
 * weights of its vCluster, times what its tenant's budget leaves of it, plus what is due to
 * it after a week. The higher comes first. What is equal for many is computed once a pass.
 */
import type { Millis } from "../../../base/brand.ts";
import type { TenantId, UserId, VClusterId } from "../../domain/ids.ts";
import type { CostWeights } from "../../domain/tenant.ts";
import { DEFAULT_WEIGHTS } from "../../domain/tenant.ts";
import type { ClusterView, PendingView } from "../../domain/view.ts";
import { backlogFactor, nodeHours } from "./backlog.ts";
import { budgetPenalty } from "./budget-penalty.ts";
import type { Census } from "./census.ts";
import { countNodes } from "./census.ts";
import { checkpointFactor } from "./checkpoint.ts";
import { conformanceFactor } from "./conformance.ts";
import { dataReadinessFactor } from "./data-readiness.ts";
import { energyFactor } from "./energy.ts";
import { fairShareFactor } from "./fair-share.ts";
import { priorityFactor } from "./priority.ts";
import { topologyFactor } from "./topology.ts";
import { overdue, waitTimeFactor } from "./wait-time.ts";

/** The nine factors of one allocation, f1 to f9. */
export type Factors = { readonly [K in keyof CostWeights]: number };

/** A score with what it is made of. */
export interface Score {
  readonly total: number;
  readonly factors: Factors;
  /** What the budget leaves, from 0.05 to 1. */
  readonly penalty: number;
}

/** What the scores of one pass are about. */
export interface ScorerOptions {
  readonly now: Millis;
  readonly energyPrice: number;
  /** In vClusters that were not given their own; absent: the default ones. */
  readonly weights?: CostWeights;
  /** All that waits. */
  readonly queue: readonly PendingView[];
}

/** Scores the allocations of one pass. */
export class Scorer {
  readonly #view: ClusterView;
  readonly #now: Millis;
  readonly #energy: number;
  readonly #defaultWeights: CostWeights;
  readonly #weights = new Map<VClusterId, CostWeights>();
  readonly #census: Census;
  readonly #utilisation: number;
  readonly #backlogs: ReadonlyMap<VClusterId, number>;
  readonly #tenants = new Map<TenantId, TenantStanding>();
  /** By number of nodes. */
  readonly #topology = new Map<number, number>();
  readonly #scratch: { -readonly [K in keyof Factors]: number } = { ...NO_FACTORS };

  constructor(view: ClusterView, { now, energyPrice, queue, weights = DEFAULT_WEIGHTS }: ScorerOptions) {
    this.#defaultWeights = weights;
    this.#view = view;
    this.#now = now;
    this.#energy = energyFactor(energyPrice);
    this.#census = countNodes(view.nodes);
    this.#utilisation = view.nodes.length > 0 ? this.#census.held / view.nodes.length : 0;
    this.#backlogs = backlogsOf(view, queue);
  }

  /** Returns the score of an allocation by itself. */
  total(pending: PendingView): number {
    const tenant = this.#tenantOf(pending.tenant);
    this.#fill(this.#scratch, pending, tenant);
    const late = overdue(this.#now - pending.submittedAt);
    return weigh(this.#scratch, this.#weightsOf(pending)) * tenant.penalty + late;
  }

  /** Returns the score of an allocation with its factors. */
  score(pending: PendingView): Score {
    const { penalty } = this.#tenantOf(pending.tenant);
    const total = this.total(pending);
    return { total, factors: { ...this.#scratch }, penalty };
  }

  #fill(factors: { -readonly [K in keyof Factors]: number }, pending: PendingView, tenant: TenantStanding): void {
    const { preemptionClass, submittedAt, request, vcluster, checkpoint = "none" } = pending;
    factors.priority = priorityFactor(preemptionClass);
    factors.waitTime = waitTimeFactor(this.#now - submittedAt);
    factors.fairShare = this.#fairShare(tenant, pending);
    factors.topology = this.#topologyOf(request.nodesMin);
    factors.dataReadiness = dataReadinessFactor(undefined);
    factors.backlog = this.#backlogs.get(vcluster) ?? 0;
    factors.energy = this.#energy;
    factors.checkpointEfficiency = checkpointFactor(checkpoint);
    factors.conformance = conformanceFactor(this.#census.largestMake, request.nodesMin);
  }

  #weightsOf({ vcluster }: PendingView): CostWeights {
    const known = this.#weights.get(vcluster);
    if (known) return known;
    const own = this.#view.vcluster(vcluster)?.weights;
    const weights = own && !areDefault(own) ? own : this.#defaultWeights;
    this.#weights.set(vcluster, weights);
    return weights;
  }

  #topologyOf(nodes: number): number {
    const known = this.#topology.get(nodes);
    if (known !== undefined) return known;
    const { groupSizes, locality } = this.#census;
    const factor = topologyFactor({ nodes, groupSizes, locality });
    this.#topology.set(nodes, factor);
    return factor;
  }

  #tenantOf(id: TenantId): TenantStanding {
    const known = this.#tenants.get(id);
    if (known) return known;
    const { nodes, usage } = this.#view;
    const tenant = this.#view.tenant(id);
    const held = (tenant?.nodesHeld ?? 0) / Math.max(1, nodes.length);
    const standing: TenantStanding = {
      target: tenant?.quota.fairShareTarget ?? 0,
      ...(tenant?.quota.burstAllowance !== undefined && { burstAllowance: tenant.quota.burstAllowance }),
      tenantUsage: Math.max(held, usage?.tenantShare(id, this.#now) ?? 0),
      penalty: tenant && usage ? budgetPenalty(usage.budgetUsed(id, tenant.quota, this.#now)) : 1,
      users: new Map(),
    };
    this.#tenants.set(id, standing);
    return standing;
  }

  #fairShare(standing: TenantStanding, { tenant, user }: PendingView): number {
    const known = standing.users.get(user);
    if (known !== undefined) return known;
    const userUsage = this.#view.usage?.userShare(tenant, user, this.#now);
    const input = { ...standing, utilisation: this.#utilisation, ...(userUsage !== undefined && { userUsage }) };
    const factor = fairShareFactor(input);
    standing.users.set(user, factor);
    return factor;
  }
}

/** A vCluster was given no weights of its own when it has the default ones. */
const areDefault = (weights: CostWeights): boolean =>
  FACTOR_NAMES.every((name) => weights[name] === DEFAULT_WEIGHTS[name]);

const FACTOR_NAMES = [
  "priority",
  "waitTime",
  "fairShare",
  "topology",
  "dataReadiness",
  "backlog",
  "energy",
  "checkpointEfficiency",
  "conformance",
] as const;

const NO_FACTORS: Factors = {
  priority: 0,
  waitTime: 0,
  fairShare: 0,
  topology: 0,
  dataReadiness: 0,
  backlog: 0,
  energy: 0,
  checkpointEfficiency: 0,
  conformance: 0,
};

interface TenantStanding {
  readonly target: number;
  readonly burstAllowance?: number;
  readonly tenantUsage: number;
  readonly penalty: number;
  /** The fair share factor by user. */
  readonly users: Map<UserId, number>;
}

const weigh = (f: Factors, w: CostWeights): number =>
  f.priority * w.priority +
  f.waitTime * w.waitTime +
  f.fairShare * w.fairShare +
  f.topology * w.topology +
  f.dataReadiness * w.dataReadiness +
  f.backlog * w.backlog +
  f.energy * w.energy +
  f.checkpointEfficiency * w.checkpointEfficiency +
  f.conformance * w.conformance;

function backlogsOf(view: ClusterView, queue: readonly PendingView[]): ReadonlyMap<VClusterId, number> {
  const sums = new Map<VClusterId, { queuedHours: number; runningHours: number }>();
  const sumOf = (vcluster: VClusterId) => {
    const known = sums.get(vcluster);
    if (known) return known;
    const sum = { queuedHours: 0, runningHours: 0 };
    sums.set(vcluster, sum);
    return sum;
  };
  for (const { vcluster, request, walltimeMs } of queue) {
    sumOf(vcluster).queuedHours += nodeHours(request.nodesMin, walltimeMs);
  }
  for (const { vcluster, claims, walltimeMs } of view.running()) {
    sumOf(vcluster).runningHours += nodeHours(claims.length, walltimeMs);
  }
  return new Map([...sums].map(([vcluster, backlog]): [VClusterId, number] => [vcluster, backlogFactor(backlog)]));
}
