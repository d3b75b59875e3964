/**
 * Limits on what all running work draws together: electric power and storage bandwidth, of
 * the cluster and of a vCluster. Further dimensions of the knapsack: what has its nodes may
 * still wait for one of them. The first that waits for a cap is promised its earliest start
 * there, as in EASY: what comes after it may draw what is left until then, or what is to
 * spare from then on. Power is known of nodes that say what they draw at most; a share
 * draws the greater of its parts of the processors and of the GPUs.
 */
import type { Millis } from "../../../base/brand.ts";
import { compareNumber } from "../../../base/compare.ts";
import type { VClusterId } from "../../domain/ids.ts";
import type { Amount, NodeCapacity } from "../../domain/resources.ts";
import type { DrawCaps } from "../../domain/tenant.ts";
import type { ClusterView, PendingView } from "../../domain/view.ts";
import { endOf } from "../availability.ts";
import type { Pick } from "../select-nodes.ts";

/** What is limited. */
export type Dimension = keyof DrawCaps;

/** What one allocation draws. */
export interface Draw {
  readonly powerWatts: number;
  readonly storageMbps: number;
}

/** A cap with what is drawn of it. */
export interface Cap {
  readonly dimension: Dimension;
  /** Absent for the whole cluster. */
  readonly vcluster: VClusterId | undefined;
  readonly limit: number;
  drawn: number;
  /** When running work gives something back; in no order. */
  readonly ends: { readonly at: number; readonly amount: number }[];
  /** The start that is promised to the first that waits for it. */
  promised?: { readonly from: number; spare: number };
}

/** The caps of one pass, counted when the first allocation under a cap comes. */
export class Caps {
  readonly #view: ClusterView;
  readonly #now: Millis;
  readonly #all: Cap[] = [];
  readonly #byVCluster = new Map<VClusterId, readonly Cap[]>();

  constructor(view: ClusterView, cluster: DrawCaps | undefined, now: Millis) {
    this.#view = view;
    this.#now = now;
    this.#add(cluster, undefined);
  }

  /** Returns the first cap that leaves too little for the allocation, undefined when all leave enough. */
  tooLow(pending: PendingView, draw: Draw): Cap | undefined {
    const end = endOf(this.#now, pending.walltimeMs);
    return this.of(pending.vcluster).find((cap) => !leaves(cap, draw[cap.dimension], end));
  }

  /** Writes down what an allocation draws that starts now. */
  take(pending: PendingView, draw: Draw): void {
    const at = endOf(this.#now, pending.walltimeMs);
    for (const cap of this.of(pending.vcluster)) {
      const amount = draw[cap.dimension];
      cap.drawn += amount;
      cap.ends.push({ at, amount });
      if (cap.promised && at > cap.promised.from) cap.promised.spare -= amount;
    }
  }

  /** Promises the allocation, which waits for the cap, its start there; false where another was before it or it is too much. */
  promise(cap: Cap, draw: Draw): boolean {
    const need = draw[cap.dimension];
    if (cap.promised || need > cap.limit) return false;
    let left = cap.limit - cap.drawn;
    for (const { at, amount } of cap.ends.toSorted((a, b) => compareNumber(a.at, b.at))) {
      left += amount;
      if (left < need) continue;
      cap.promised = { from: at, spare: left - need };
      return true;
    }
    return false;
  }

  /** Returns the caps that hold for a vCluster. */
  of(vcluster: VClusterId): readonly Cap[] {
    const known = this.#byVCluster.get(vcluster);
    if (known) return known;
    this.#add(this.#view.vcluster(vcluster)?.caps, vcluster);
    const caps = this.#all.filter((cap) => cap.vcluster === undefined || cap.vcluster === vcluster);
    this.#byVCluster.set(vcluster, caps);
    return caps;
  }

  #add(limits: DrawCaps | undefined, vcluster: VClusterId | undefined): void {
    for (const dimension of DIMENSIONS) {
      const limit = limits?.[dimension];
      if (limit !== undefined) this.#all.push(this.#counted({ dimension, vcluster, limit, drawn: 0, ends: [] }));
    }
  }

  #counted(cap: Cap): Cap {
    for (const running of this.#view.running()) {
      if (cap.vcluster !== undefined && running.vcluster !== cap.vcluster) continue;
      const amount = cap.dimension === "storageMbps" ? (running.storageMbps ?? 0) : this.#powerOf(running.claims);
      cap.drawn += amount;
      const end = endOf(running.startedAt ?? this.#now, running.walltimeMs);
      cap.ends.push({ at: Math.max(this.#now + 1, end), amount });
    }
    for (const holder of this.#view.holders?.() ?? []) {
      if (cap.vcluster === undefined || holder.vcluster === cap.vcluster)
        cap.drawn += this.#heldFor(holder, cap.dimension);
    }
    return cap;
  }

  /** What waits for nodes that are kept for it will draw as much as they do. */
  #heldFor({ hold = [], request }: PendingView, dimension: Dimension): number {
    if (dimension === "storageMbps") return request.storageMbps ?? 0;
    return hold.reduce((sum, id) => {
      const node = this.#view.nodes[this.#view.placeOf(id) ?? -1];
      return sum + (node?.capacity.powerWatts ?? 0);
    }, 0);
  }

  #powerOf(claims: readonly (Amount & { readonly nodeId: ClusterView["nodes"][number]["id"] })[]): number {
    return claims.reduce((sum, claim) => {
      const node = this.#view.nodes[this.#view.placeOf(claim.nodeId) ?? -1];
      return node ? sum + powerOf(node.capacity, claim) : sum;
    }, 0);
  }
}

/** Returns whether a cap holds for the vCluster. */
export const hasCaps = (view: ClusterView, cluster: DrawCaps | undefined, vcluster: VClusterId): boolean =>
  cluster !== undefined || view.vcluster(vcluster)?.caps !== undefined;

/** Returns what an allocation draws on these nodes. */
export const drawOf = ({ request }: PendingView, picks: readonly Pick[]): Draw => ({
  powerWatts: picks.reduce((sum, { offer }) => sum + powerOf(offer.of.capacity, offer.need), 0),
  storageMbps: request.storageMbps ?? 0,
});

const DIMENSIONS: readonly Dimension[] = ["powerWatts", "storageMbps"];

/** Returns the power that a part of a node draws at most. */
export function powerOf(capacity: NodeCapacity, part: Amount): number {
  const { powerWatts = 0 } = capacity;
  if (powerWatts === 0) return 0;
  const cpus = part.cpus / Math.max(1, capacity.cpus);
  const gpus = capacity.gpuMilli > 0 ? part.gpuMilli / capacity.gpuMilli : 0;
  return powerWatts * Math.min(1, Math.max(cpus, gpus));
}

function leaves({ limit, drawn, promised }: Cap, amount: number, end: number): boolean {
  if (amount === 0) return true;
  if (drawn + amount > limit) return false;
  return !promised || end <= promised.from || amount <= promised.spare;
}

/** Returns a cap and what is drawn of it, as people read it. */
export function capText({ dimension, vcluster, limit, drawn, promised }: Cap, draw: Draw): string {
  const unit = dimension === "powerWatts" ? "W" : "MB/s";
  const whose = vcluster === undefined ? "the cluster" : `vCluster ${vcluster}`;
  const kept = promised && drawn + draw[dimension] <= limit ? ", what is left is kept for work of higher rank" : "";
  return `needs ${Math.ceil(draw[dimension])} ${unit}, ${whose} draws ${Math.ceil(drawn)} of ${limit}${kept}`;
}
