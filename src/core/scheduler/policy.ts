/** The settings that `plan` obeys: the policy is data, so that a replay tries what a server runs. */
import type { Millis } from "../../base/brand.ts";
import type { CostWeights, DrawCaps } from "../domain/tenant.ts";
import { DEFAULT_WEIGHTS } from "../domain/tenant.ts";

/** What decides the rank of what waits. */
export const ORDERS = ["fcfs", "score"] as const;
/** `fcfs`: by preemption class, then by submission. `score`: by the weighed factors of `score/`. */
export type Order = (typeof ORDERS)[number];

/** What may be placed before work of higher rank that waits for nodes. */
export const BACKFILLS = ["none", "easy", "conservative"] as const;
/** `none`: nothing. `easy`: what does not delay the first ones that wait. `conservative`: what delays none of them. */
export type Backfill = (typeof BACKFILLS)[number];

/** In which order it is tried what may overtake the ones that are promised a start. */
export const BACKFILL_ORDERS = ["rank", "shortest", "packed"] as const;
/**
 * `rank`: as they stand. `shortest`: by walltime. `packed`: the smallest first where they
 * are so small that they cost others next to nothing, then the largest first, which fill
 * most. With `conservative` all are promised a start, so there is nothing to order.
 */
export type BackfillOrder = (typeof BACKFILL_ORDERS)[number];

/** When work makes room for work of a higher class. */
export interface PreemptionPolicy {
  /** How many classes lower it must be, at least 1. */
  readonly classDistance: number;
  /** How often one allocation makes room at most. */
  readonly countMax: number;
  /** Time that it has to save its state. */
  readonly checkpointMs: Millis;
  /** Names of vClusters whose work makes room for nobody. */
  readonly spared?: readonly string[];
}

export interface Policy {
  /** Pending allocations looked at in one pass at most. */
  readonly depth: number;
  readonly order: Order;
  readonly backfill: Backfill;
  /** How many are promised a start by `easy`, the first in rank; 1 is EASY as it was published. */
  readonly reservations: number;
  readonly backfillOrder: BackfillOrder;
  /** Of energy, from 0 to 1: the cheapest and the dearest that the site knows. */
  readonly energyPrice: number;
  /** Of the scoring factors, in vClusters that were not given their own. */
  readonly weights: CostWeights;
  /** What all running work may draw together; absent for as much as it likes. */
  readonly caps?: DrawCaps;
  /** Absent where nobody makes room. */
  readonly preemption?: PreemptionPolicy;
}

/** Queues as most sites know them: by submission, the first that waits is not delayed. */
export const EASY_POLICY: Policy = {
  depth: 1_000,
  order: "fcfs",
  backfill: "easy",
  reservations: 1,
  backfillOrder: "rank",
  energyPrice: 0.5,
  weights: DEFAULT_WEIGHTS,
};

/** What holds where the configuration says nothing. */
export const DEFAULT_POLICY: Policy = { ...EASY_POLICY, order: "score", reservations: 3, backfillOrder: "packed" };
