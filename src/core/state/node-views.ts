/**
 * The nodes as the scheduler sees them, kept up to date: a pass costs the nodes that have
 * changed since the last one, not all. Owned by the state; whatever changes a node's
 * record or the claims on it says so with `touch`.
 */
import { assert } from "../../base/assert.ts";
import { compareText } from "../../base/compare.ts";
import type { NodeId } from "../domain/ids.ts";
import type { NodeCapacity } from "../domain/resources.ts";
import type { NodeView } from "../domain/view.ts";

export class NodeViews {
  #list: NodeView[] = [];
  #places = new Map<NodeId, number>();
  readonly #touched = new Set<NodeId>();
  readonly #capacities = new Map<string, NodeCapacity>();
  readonly #shared = new WeakMap<NodeCapacity, NodeCapacity>();

  /** Says that the view of a node is out of date. */
  touch(id: NodeId): void {
    this.#touched.add(id);
  }

  /** Returns the views of all nodes by id, where `ids` are all there are and `make` gives the view of one. */
  list(ids: { readonly size: number; keys(): Iterable<NodeId> }, make: (id: NodeId) => NodeView): readonly NodeView[] {
    if (ids.size !== this.#list.length) {
      const inOrder = [...ids.keys()].sort(compareText);
      this.#places = new Map(inOrder.map((id, place) => [id, place]));
      this.#list = inOrder.map((id) => make(id));
    } else {
      for (const id of this.#touched) {
        const place = this.#places.get(id);
        assert(place !== undefined, `node ${id} has no view`);
        this.#list[place] = make(id);
      }
    }
    this.#touched.clear();
    return this.#list;
  }

  /** Returns the place of a node in the list that was returned last. */
  placeOf(id: NodeId): number | undefined {
    return this.#places.get(id);
  }

  /** Returns the one record that stands for all capacities equal to this: by it, like nodes are told faster. */
  shared(capacity: NodeCapacity): NodeCapacity {
    const known = this.#shared.get(capacity);
    if (known) return known;
    const { cpus, memoryBytes, gpuMilli, gpuType, features, group } = capacity;
    const { conformance, hasUnifiedMemory, cxlMemoryBytes, powerWatts } = capacity;
    const kind = [conformance ?? null, hasUnifiedMemory ?? false, cxlMemoryBytes ?? 0, powerWatts ?? 0];
    const key = JSON.stringify([cpus, memoryBytes, gpuMilli, gpuType, features, group, ...kind]);
    const first = this.#capacities.get(key) ?? capacity;
    this.#capacities.set(key, first);
    this.#shared.set(capacity, first);
    return first;
  }
}
