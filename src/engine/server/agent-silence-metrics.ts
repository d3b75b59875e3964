/** Which agent was not heard for longest, without looking at all of them: the first of an order that each word renews. */
import type { NodeId } from "../../core/domain/ids.ts";

/** When each agent of one server was last heard. */
export class AgentSilence {
  /** In the order in which they were last heard, on the monotonic clock. */
  readonly #heard = new Map<NodeId, number>();

  /** Takes a word of an agent and returns how long it had been silent; undefined for its first word. */
  heard(node: NodeId, now: number): number | undefined {
    const before = this.#heard.get(node);
    this.#heard.delete(node);
    this.#heard.set(node, now);
    return before === undefined ? undefined : now - before;
  }

  gone(node: NodeId): void {
    this.#heard.delete(node);
  }

  /** Returns the longest silence; undefined without agents. */
  longest(now: number): number | undefined {
    const first = this.#heard.values().next();
    return first.done ? undefined : now - first.value;
  }
}
