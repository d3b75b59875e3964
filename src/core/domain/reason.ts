/**
 * THE catalogue of reasons why an allocation waits. Reasons are data made by `plan` and
 * by the state machine; the sentences are here. docs/reference/reasons.md is generated.
 */
export const REASONS = {
  PRIORITY: "work of higher rank is placed first",
  RESERVED: "its nodes are kept for work of higher rank, which it would delay",
  NODES_BUSY: "the nodes that suit it are in use",
  TOO_FEW_NODES: "the cluster has fewer suitable nodes than it asks for",
  NO_NODE_FITS: "no node is large enough for what it asks on each node",
  GPU_TYPE: "no schedulable node has the GPU type it asks for",
  FEATURES: "no schedulable node has the features it asks for",
  MEMORY_KIND: "no schedulable node has the kind of memory it asks for",
  CONFORMANCE: "no group of nodes of one make is large enough for it",
  NODES_UNAVAILABLE: "suitable nodes exist but are drained, down or degraded",
  NOT_DEDICATED: "the nodes that suit it are dedicated to another vCluster",
  POWER_CAP: "the power that work may draw together leaves too little for it",
  STORAGE_CAP: "the storage bandwidth that work may draw together leaves too little for it",
  LOAN_LIMIT: "others lend no more of their nodes",
  VCLUSTER_ORDER: "its vCluster places work in the order of submission, and what came earlier waits",
  QUOTA_NODES: "its tenant holds as many nodes as its quota allows",
  NODES_RESERVED: "an administrator has reserved nodes that it needs",
  DEPENDENCY: "it waits for other allocations",
  MUTEX: "another allocation holds the name that only one may hold",
  ARRAY_LIMIT: "as many tasks of its array run as the array allows",
  NOT_BEFORE: "it may not start before a set time",
  MAKING_ROOM: "others of lower class are making room for it",
  DEADLINE: "it cannot have ended by its deadline any more",
  DEADLINE_NEAR: "it meets its deadline only if others end early or leave the queue; no nodes are kept for it",
  NOT_CONSIDERED: "the queue before it is longer than one pass looks at",
} as const;

/** The name of a reason. Stable: programs branch on it. */
export type ReasonCode = keyof typeof REASONS;

/** One reason for one allocation. */
export interface Reason {
  readonly code: ReasonCode;
  /** The sentence with its values. */
  readonly message: string;
  /** What change of the request would let it start; absent where only time helps. */
  readonly change?: string;
}

/** Makes a reason; `detail` is appended to the catalogue's sentence. */
export function reason(code: ReasonCode, detail?: string, change?: string): Reason {
  const message = detail ? `${REASONS[code]}: ${detail}` : REASONS[code];
  return change === undefined ? { code, message } : { code, message, change };
}
