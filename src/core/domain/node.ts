/** The compute node, as the quorum knows it. Heartbeat times are not here: only what they cause is replicated. */
import type { LogIndex, Millis } from "../../base/brand.ts";
import type { NodeId } from "./ids.ts";
import type { NodeState } from "./lifecycle.ts";
import type { NodeCapacity } from "./resources.ts";

export interface Node {
  readonly id: NodeId;
  readonly version: LogIndex;
  readonly state: NodeState;
  /** Why it is in this state; may be empty. */
  readonly reason: string;
  readonly capacity: NodeCapacity;
  /** host:port of the agent's own listener. */
  readonly address: string;
  /** The installation that owns the name; another one is refused while this one lives. */
  readonly instanceId: string;
  readonly agentVersion: string;
  readonly registeredAt: Millis;
  /** Since when the node is in this state. */
  readonly stateSince: Millis;
  /** Taken out by an operator until enabled; heartbeats do not undo it. */
  readonly isDisabled: boolean;
  /** What the agent found wrong with its node. */
  readonly issues: readonly string[];
}
