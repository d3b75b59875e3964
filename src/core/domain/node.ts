/** The compute node, as the quorum knows it. Heartbeat times are not here: only what they cause is replicated. */
import type { LogIndex, Millis } from "../../base/brand.ts";
import type { NodeId, TenantId, UserId } from "./ids.ts";
import type { NodeState } from "./lifecycle.ts";
import type { NodeCapacity } from "./resources.ts";

/** What heartbeats, or their absence, make of a node. */
export type NodeHealth = "ready" | "degraded" | "down";

/** Who holds a node for sensitive work: it takes nobody else's. */
export interface SensitiveClaim {
  readonly user: UserId;
  readonly tenant?: TenantId;
  readonly since: Millis;
}

/** What must be erased before the node takes other work. */
export interface WipeOrder {
  /** Tells this wipe from others of the same node. */
  readonly id: number;
  /** A failed one keeps the node out until somebody enables it, which orders another. */
  readonly hasFailed: boolean;
}

/** The replicated record. */
export interface Node {
  readonly id: NodeId;
  readonly version: LogIndex;
  /** Follows from health, isDisabled, drainReason and the claims: see `nodeStateOf`. */
  readonly state: NodeState;
  /** What the heartbeats say. */
  readonly health: NodeHealth;
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
  /** Set from drain to undrain, also while the node is away. */
  readonly drainReason?: string;
  /** Set from claim to release. */
  readonly sensitiveClaim?: SensitiveClaim;
  /** Set from the end of sensitive work until the agent has wiped the node. */
  readonly wipe?: WipeOrder;
  /** What the agent found wrong with its node. */
  readonly issues: readonly string[];
}

/** Returns the state that follows from the facts about a node with `claimCount` claims on it. */
export function nodeStateOf(
  node: Pick<Node, "health" | "isDisabled" | "drainReason" | "wipe">,
  claimCount: number,
): NodeState {
  if (node.isDisabled || node.health === "down" || node.wipe?.hasFailed) return "down";
  if (node.drainReason !== undefined) return claimCount > 0 ? "draining" : "drained";
  if (node.wipe) return "drained";
  return node.health;
}
