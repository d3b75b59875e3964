/**
 * How many allocations and nodes are in each state, kept by the events of the state, so
 * that telling it costs the same for ten of them as for a million.
 */
import type { VClusterId } from "../../core/domain/ids.ts";
import type { AllocationState, NodeState } from "../../core/domain/lifecycle.ts";
import { ALLOCATION_STATES, isTerminal, NODE_STATES } from "../../core/domain/lifecycle.ts";
import type { AllocationChanged, StateEvent } from "../../core/state/events.ts";
import type { State } from "../../core/state/state.ts";

/** More vClusters than this share one count: each is a series of its own in whatever scrapes. */
const VCLUSTERS_MAX = 100;
const OTHER = "_other";

/** Counts of one state. */
export class StateCensus {
  readonly allocations = new Map<AllocationState, number>();
  readonly nodes = new Map<NodeState, number>();
  readonly #pending = new Map<VClusterId, number>();

  /** Counts everything: at the start, and when another state is put in the place of this one. */
  take({ tables }: State): void {
    for (const state of ALLOCATION_STATES) if (!isTerminal(state)) this.allocations.set(state, 0);
    for (const state of NODE_STATES) this.nodes.set(state, 0);
    this.#pending.clear();
    for (const { state, spec } of tables.allocations.values()) this.#move(spec.vcluster, undefined, state);
    for (const node of tables.nodes.values()) add(this.nodes, node.state, 1);
  }

  /** Follows what was applied and returns the allocations that ended. */
  follow(events: readonly StateEvent[]): readonly AllocationChanged[] {
    const ended: AllocationChanged[] = [];
    for (const event of events) {
      if (event.kind === "allocation-changed") {
        this.#move(event.vcluster, event.from, event.to);
        if (isTerminal(event.to)) ended.push(event);
      } else if (event.kind === "node-changed") {
        if (event.from !== undefined) add(this.nodes, event.from, -1);
        add(this.nodes, event.to, 1);
      }
    }
    return ended;
  }

  /** Returns the pending allocations of each vCluster that has had any. */
  pendingByVCluster(): ReadonlyMap<string, number> {
    const told = new Map<string, number>();
    for (const [vcluster, count] of this.#pending) {
      const isListed = told.size < VCLUSTERS_MAX && vcluster !== OTHER;
      add(told, isListed ? vcluster : OTHER, count);
    }
    return told;
  }

  #move(vcluster: VClusterId, from: AllocationState | undefined, to: AllocationState): void {
    if (from !== undefined && !isTerminal(from)) add(this.allocations, from, -1);
    if (!isTerminal(to)) add(this.allocations, to, 1);
    if (from === "pending") add(this.#pending, vcluster, -1);
    if (to === "pending") add(this.#pending, vcluster, 1);
  }
}

function add<Key>(counts: Map<Key, number>, key: Key, amount: number): void {
  counts.set(key, (counts.get(key) ?? 0) + amount);
}
