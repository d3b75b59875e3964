/**
 * The one way to write allocations and nodes. Each writer takes the old record out of
 * the indexes, puts the new one in, and tells the loops what changed; no handler touches
 * tables of these nouns or indexes by itself.
 */

import { assert } from "../../base/assert.ts";
import type { LogIndex, Millis } from "../../base/brand.ts";
import { dropUndefined } from "../../base/drop-undefined.ts";
import type { Allocation } from "../domain/allocation.ts";
import { nodesOf } from "../domain/allocation.ts";
import type { AllocationId, NodeId, ShortId, TaskGroupId, UserId } from "../domain/ids.ts";
import { allocationId, shortId } from "../domain/ids.ts";
import type { AllocationState } from "../domain/lifecycle.ts";
import {
  ALLOCATION_TRANSITIONS,
  holdsNodes,
  isSchedulable,
  isTerminal,
  NODE_TRANSITIONS,
} from "../domain/lifecycle.ts";
import type { Node } from "../domain/node.ts";
import { nodeStateOf } from "../domain/node.ts";
import type { TaskGroup } from "../domain/task-group.ts";
import { isGroupOver } from "../domain/task-group.ts";
import type { StateEvent } from "./events.ts";
import { claimCount, indexTaskGroup, reindexAllocation, unindexTaskGroup } from "./index-allocation.ts";
import { indexClaim } from "./sensitive-nodes.ts";
import type { Meta, State } from "./state.ts";
import { META_ID, metaOf } from "./state.ts";
import { recordUsage } from "./used-work.ts";

/** One command being applied. */
export interface Applying {
  readonly state: State;
  readonly index: LogIndex;
  /** Time of the command, never less than that of any before it. */
  readonly at: Millis;
  readonly by: UserId;
  readonly events: StateEvent[];
  /** What follows from the changes so far; `settle` works it off after the handler. */
  readonly agenda: Consequence[];
}

/** A change that others may have waited for. */
export type Consequence =
  | { readonly kind: "ended"; readonly id: AllocationId | TaskGroupId }
  | {
      readonly kind: "task-moved";
      readonly group: TaskGroupId;
      readonly from: AllocationState;
      readonly to: AllocationState;
    };

/** Fields of an allocation that a change may set; an explicit undefined removes the field. */
export type AllocationChange = { readonly [K in keyof Allocation]?: Allocation[K] | undefined };

/** Creates an allocation. */
export function createAllocation(ctx: Applying, allocation: Allocation): void {
  write(ctx, undefined, allocation);
}

/**
 * Replaces an allocation, checking the transition against the table.
 * Invariant INV-L1: an allocation only moves along ALLOCATION_TRANSITIONS.
 */
export function changeAllocation(ctx: Applying, before: Allocation, change: AllocationChange): Allocation {
  const to = change.state ?? before.state;
  assert(
    to === before.state || ALLOCATION_TRANSITIONS[before.state].includes(to),
    `allocation ${before.id} cannot go from ${before.state} to ${to}`,
  );
  // Nodes are kept for what waits, and for that alone.
  const letsGo = before.hold !== undefined && to !== "pending";
  const after = dropUndefined({ ...before, ...change, ...(letsGo && { hold: undefined }), version: ctx.index });
  write(ctx, before, after);
  return after;
}

function write(ctx: Applying, before: Allocation | undefined, after: Allocation): void {
  const { state } = ctx;
  state.tables.allocations.put(after.id, after);
  reindexAllocation(state, before, after);
  if (before?.state !== after.state) {
    ctx.events.push({
      kind: "allocation-changed",
      index: ctx.index,
      at: ctx.at,
      allocation: after.id,
      shortId: after.shortId,
      tenant: after.spec.tenant,
      vcluster: after.spec.vcluster,
      user: after.user,
      ...(after.task && { group: after.task.group }),
      ...(after.dag && { dag: after.dag }),
      ...(before && { from: before.state }),
      to: after.state,
      message: after.message,
      isSensitive: after.spec.isSensitive,
    });
    noteConsequences(ctx, before, after);
  }
  const isWiped = before?.spec.isSensitive === true && holdsNodes(before.state) && !holdsNodes(after.state);
  for (const node of touchedNodes(before, after)) {
    ctx.events.push({ kind: "assignments-changed", node });
    if (isWiped) wipeAfterWork(ctx, node);
    settleNode(ctx, node);
  }
}

function noteConsequences(ctx: Applying, before: Allocation | undefined, after: Allocation): void {
  if (before && after.task) {
    ctx.agenda.push({ kind: "task-moved", group: after.task.group, from: before.state, to: after.state });
  }
  if (isTerminal(after.state)) recordUsage(ctx.state, after);
  if (isTerminal(after.state)) ctx.agenda.push({ kind: "ended", id: after.id });
}

/** Nodes whose desired set is another one after the change. */
function touchedNodes(before: Allocation | undefined, after: Allocation): Iterable<NodeId> {
  const held = before && holdsNodes(before.state) ? nodesOf(before) : [];
  const holds = holdsNodes(after.state) ? nodesOf(after) : [];
  if (held.length === 0) return holds;
  if (holds.length === 0 || (held.length === holds.length && held.every((node, i) => node === holds[i]))) return held;
  return new Set([...held, ...holds]);
}

/** Writes a task group; `before` is undefined when it is created. */
export function writeTaskGroup(
  ctx: Applying,
  before: TaskGroup | undefined,
  change: Omit<TaskGroup, "version">,
): TaskGroup {
  const endsNow = isGroupOver({ ...change, version: ctx.index }) && change.endedAt === undefined;
  const after: TaskGroup = { ...change, version: ctx.index, ...(endsNow && { endedAt: ctx.at }) };
  if (before) unindexTaskGroup(ctx.state, before);
  ctx.state.tables.taskGroups.put(after.id, after);
  indexTaskGroup(ctx.state, after);
  if (endsNow) ctx.agenda.push({ kind: "ended", id: after.id });
  return after;
}

/** Returns the next short id; none is ever given twice. */
export function takeShortId(ctx: Applying): ShortId {
  const { nextShortId } = metaOf(ctx.state);
  writeMeta(ctx, { nextShortId: nextShortId + 1 });
  return shortId(nextShortId);
}

/** Writes a node; its state follows from its facts. */
export function writeNode(ctx: Applying, facts: Omit<Node, "state" | "version" | "stateSince">): Node {
  const { nodes } = ctx.state.tables;
  const before = nodes.get(facts.id);
  const to = nodeStateOf(facts, claimCount(ctx.state, facts.id));
  const from = before?.state;
  if (before !== undefined && from !== to) {
    assert(NODE_TRANSITIONS[before.state].includes(to), `node ${facts.id} cannot go from ${before.state} to ${to}`);
  }
  const stateSince = before && from === to ? before.stateSince : ctx.at;
  const after: Node = dropUndefined({ ...facts, state: to, version: ctx.index, stateSince });
  nodes.put(after.id, after);
  indexClaim(ctx.state, after);
  ctx.state.indexes.nodeViews.touch(after.id);
  if (from !== to) {
    if (!isSchedulable(to)) loseHold(ctx, after.id);
    ctx.events.push({
      kind: "node-changed",
      index: ctx.index,
      at: ctx.at,
      node: after.id,
      ...(from && { from }),
      to,
      reason: after.reason,
    });
  }
  return after;
}

/** What waits for a node that cannot be used waits in vain. */
function loseHold(ctx: Applying, node: NodeId): void {
  const holder = ctx.state.tables.allocations.get(ctx.state.indexes.heldFor.get(node) ?? NO_ALLOCATION);
  if (holder) changeAllocation(ctx, holder, { hold: undefined, message: `node ${node}, kept for it, cannot be used` });
}

const NO_ALLOCATION = allocationId("");

/** Why a node takes no work while it is wiped. */
export const WIPING = "being wiped after sensitive work";

/** Has a node wiped before it takes other work. */
export function orderWipe(ctx: Applying, node: Node): Node {
  ctx.events.push({ kind: "assignments-changed", node: node.id });
  return writeNode(ctx, { ...node, wipe: { id: ctx.index, hasFailed: false }, reason: node.drainReason ?? WIPING });
}

/** A node that somebody has claimed is wiped when it is released, not between that user's own work. */
function wipeAfterWork(ctx: Applying, id: NodeId): void {
  const node = ctx.state.tables.nodes.get(id);
  if (node && node.sensitiveClaim === undefined) orderWipe(ctx, node);
}

/** Draining ends with the last claim. */
function settleNode(ctx: Applying, id: NodeId): void {
  const node = ctx.state.tables.nodes.get(id);
  if (node?.state === "draining" && claimCount(ctx.state, id) === 0) writeNode(ctx, node);
}

/** Writes fields of the meta row. */
export function writeMeta(ctx: Applying, change: Partial<Meta>): void {
  ctx.state.tables.meta.put(META_ID, { ...metaOf(ctx.state), ...change });
}
