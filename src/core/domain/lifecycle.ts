/**
 * The legal transitions of allocations and nodes, as tables. Every writer goes through
 * `isLegalTransition`; there is no second list anywhere.
 */
export const ALLOCATION_STATES = [
  "pending",
  "staging",
  "running",
  "checkpointing",
  "suspended",
  "completed",
  "failed",
  "cancelled",
] as const;
export type AllocationState = (typeof ALLOCATION_STATES)[number];

/** The states of a node. */
export const NODE_STATES = [
  "unknown",
  "booting",
  "ready",
  "degraded",
  "down",
  "draining",
  "drained",
  "failed",
] as const;
export type NodeState = (typeof NODE_STATES)[number];

/**
 * Edges to `pending` from a state with nodes are requeues; staging may end at once when
 * the work is over before its first report arrives.
 */
export const ALLOCATION_TRANSITIONS: Readonly<Record<AllocationState, readonly AllocationState[]>> = {
  pending: ["staging", "failed", "cancelled"],
  staging: ["running", "pending", "completed", "failed", "cancelled"],
  running: ["checkpointing", "pending", "completed", "failed", "cancelled"],
  checkpointing: ["suspended", "pending", "completed", "failed", "cancelled"],
  suspended: ["pending", "failed", "cancelled"],
  completed: [],
  failed: [],
  cancelled: [],
};

/** Draining must finish before the node is used again; a node that is lost goes down from anywhere. */
export const NODE_TRANSITIONS: Readonly<Record<NodeState, readonly NodeState[]>> = {
  unknown: ["booting", "ready", "down", "failed"],
  booting: ["ready", "down", "failed"],
  ready: ["degraded", "draining", "drained", "down"],
  degraded: ["ready", "draining", "drained", "down"],
  down: ["ready", "degraded", "draining", "drained", "booting", "failed"],
  draining: ["drained", "down"],
  drained: ["ready", "degraded", "booting", "down"],
  failed: ["booting", "down"],
};

/** Returns whether an allocation in this state has ended for good. */
export const isTerminal = (state: AllocationState): boolean => ALLOCATION_TRANSITIONS[state].length === 0;

/** Returns whether an allocation in this state holds nodes. */
export const holdsNodes = (state: AllocationState): boolean =>
  state === "staging" || state === "running" || state === "checkpointing";

/** Returns whether new work may be placed on a node in this state. */
export const isSchedulable = (state: NodeState): boolean => state === "ready";

/** Returns whether `text` names an allocation state. */
export const isAllocationState = (text: string): text is AllocationState =>
  ALLOCATION_STATES.some((state) => state === text);

/** Returns whether `text` names a node state. */
export const isNodeState = (text: string): text is NodeState => NODE_STATES.some((state) => state === text);
