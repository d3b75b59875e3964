/** The pictures of the state that others work from: the scheduler's view, a node's desired set. */
import { present } from "../../base/assert.ts";
import { compareNumber, compareText } from "../../base/compare.ts";
import type { Allocation, Part } from "../domain/allocation.ts";
import { nodesOf } from "../domain/allocation.ts";
import type { Assignment, AssignmentAction, Work } from "../domain/assignment.ts";
import type { NodeId } from "../domain/ids.ts";
import { NOTHING, subtractAmounts } from "../domain/resources.ts";
import type { ClusterView, Displacement, NodeView, PendingView, QueueView, RunningView } from "../domain/view.ts";
import { gpusFree, tenantLoadOf } from "./index-allocation.ts";
import { checkpointStrategy, isDisplaceable, runLimitOf } from "./preemption.ts";
import { claimsAsReservations } from "./sensitive-nodes.ts";
import type { State } from "./state.ts";
import { usageOf } from "./used-work.ts";

/** Returns the scheduler's view. Valid until the next command is applied. */
export function viewOf(state: State): ClusterView {
  const { tables, indexes } = state;
  const nodes = indexes.nodeViews.list(tables.nodes, (id) => nodeView(state, id));
  return {
    *pending() {
      for (let i = indexes.queue.length - 1; i >= 0; i--) {
        for (const id of indexes.queue[i]?.values() ?? []) yield pendingView(recordOf(state, id));
      }
    },
    pendingCount: indexes.queue.reduce((sum, queue) => sum + queue.size, 0),
    *holders() {
      for (const id of indexes.holders.values()) yield pendingView(recordOf(state, id));
    },
    lowestClassRunning() {
      const lowest = indexes.activeByClass.findIndex((count) => count > 0);
      return lowest < 0 ? undefined : lowest;
    },
    *running() {
      for (const id of indexes.active) yield runningView(recordOf(state, id));
    },
    nodes,
    placeOf: (node) => indexes.nodeViews.placeOf(node),
    tenant(id) {
      const tenant = tables.tenants.get(id);
      return tenant && { id, quota: tenant.quota, nodesHeld: tenantLoadOf(state, id).nodesHeld };
    },
    vcluster: (id) => tables.vclusters.get(id),
    dedicatedTo: (node) => indexes.dedicated.get(node),
    reservations: reservationsIn(state),
    usage: usageOf(state),
  };
}

function reservationsIn(state: State): ClusterView["reservations"] {
  const { tables, indexes } = state;
  if (tables.reservations.size + indexes.claimed.size === 0) return undefined;
  const all = [...tables.reservations.values(), ...claimsAsReservations(state)];
  return all.sort((a, b) => compareText(a.name, b.name));
}

/** Returns the queue by itself. Goes on to hold as commands are applied. */
export const queueOf = ({ tables, indexes }: State): QueueView => ({
  ids: () => indexes.queue.flatMap((queue) => [...queue.values()]),
  get(id) {
    const a = tables.allocations.get(id);
    return a && indexes.queue[a.spec.preemptionClass]?.get(a.shortId) === id ? pendingView(a) : undefined;
  },
  get arrivals() {
    return indexes.arrivals.count;
  },
  arrivedAfter: (count) => indexes.arrivals.after(count),
});

/** Returns everything that should be on a node, in order of submission. */
export function assignmentsOf(state: State, node: NodeId): readonly Assignment[] {
  const claims = state.indexes.nodeLoad.get(node)?.claims;
  if (!claims) return [];
  const work = [...claims.keys()].map((id) => recordOf(state, id));
  work.sort((a, b) => compareNumber(a.shortId, b.shortId));
  return work.flatMap((a) => assignmentOf(state, a, node) ?? []);
}

/** Returns the wipe that the node's agent is to do, if any. */
export function wipeOf(state: State, id: NodeId): number | undefined {
  const wipe = state.tables.nodes.get(id)?.wipe;
  return wipe === undefined || wipe.hasFailed || state.indexes.nodeLoad.get(id)?.claims.size ? undefined : wipe.id;
}

function assignmentOf(state: State, a: Allocation, node: NodeId): Assignment | undefined {
  const rank = a.parts.findIndex((p) => p.claim.nodeId === node);
  const part = a.parts[rank];
  if (!part || part.phase === "ended") return undefined;
  return {
    allocation: a.id,
    attempt: a.attempt,
    action: actionOf(a, part),
    walltimeMs: runLimitOf(a),
    work: workOf(state, a, { part, rank }),
  };
}

/** All nodes of an allocation start together: each prepares its part, and runs it when all are ready. */
function actionOf(a: Allocation, part: Part): AssignmentAction {
  if (a.stopping) {
    const { reason, checkpointMs } = a.stopping;
    return { kind: "stop", reason, ...(checkpointMs !== undefined && { checkpointMs }) };
  }
  if (part.isLeaving) return { kind: "stop", reason: "scaled_down" };
  const isReady = a.parts.length === 1 || a.parts.every((p) => p.phase !== "assigned");
  return { kind: isReady ? "run" : "prepare" };
}

function workOf(state: State, a: Allocation, { part, rank }: { readonly part: Part; readonly rank: number }): Work {
  const group = a.task && state.tables.taskGroups.get(a.task.group);
  const first = group?.ranges[0];
  const last = group?.ranges.at(-1);
  return {
    shortId: a.shortId,
    user: a.user,
    spec: a.spec,
    claim: part.claim,
    nodeIds: nodesOf(a),
    runsHere: a.spec.runOn === "every" || rank === 0,
    requeueCount: a.requeueCount,
    ...(a.preemptedCount !== undefined && { preemptedCount: a.preemptedCount }),
    ...(a.savedMs !== undefined && { isResumed: true }),
    ...(a.task &&
      group &&
      first &&
      last && {
        task: { ...a.task, range: { start: first.start, end: last.end, step: first.step }, count: group.total },
      }),
    ...(a.dag && { dag: a.dag }),
  };
}

const recordOf = (state: State, id: Allocation["id"]): Allocation =>
  present(state.tables.allocations.get(id), `no record of ${id}`);

/** Records are never changed, so each has one view for as long as it stands. */
const PENDING = new WeakMap<Allocation, PendingView>();
const RUNNING = new WeakMap<Allocation, RunningView>();

function pendingView(a: Allocation): PendingView {
  const known = PENDING.get(a);
  if (known) return known;
  const view: PendingView = {
    id: a.id,
    shortId: a.shortId,
    version: a.version,
    tenant: a.spec.tenant,
    user: a.user,
    vcluster: a.spec.vcluster,
    request: a.spec.resources,
    preemptionClass: a.spec.preemptionClass,
    walltimeMs: runLimitOf(a),
    submittedAt: a.submittedAt,
    isSensitive: a.spec.isSensitive,
    ...(a.notBefore !== undefined && { notBefore: a.notBefore }),
    ...(a.spec.deadline !== undefined && { deadline: a.spec.deadline }),
    ...checkpointOf(a),
    ...(a.hold && { hold: a.hold.nodes }),
  };
  PENDING.set(a, view);
  return view;
}

function checkpointOf({ spec }: Allocation): Pick<PendingView, "checkpoint"> {
  const strategy = checkpointStrategy(spec);
  return strategy === undefined || strategy === "none" ? {} : { checkpoint: strategy };
}

function runningView(a: Allocation): RunningView {
  const known = RUNNING.get(a);
  if (known) return known;
  const view: RunningView = {
    id: a.id,
    tenant: a.spec.tenant,
    user: a.user,
    vcluster: a.spec.vcluster,
    claims: a.parts.map((p) => p.claim),
    preemptionClass: a.spec.preemptionClass,
    walltimeMs: runLimitOf(a),
    ...(a.spec.resources.storageMbps && { storageMbps: a.spec.resources.storageMbps }),
    ...(a.startedAt !== undefined && { startedAt: a.startedAt }),
    isSensitive: a.spec.isSensitive,
    ...(isDisplaceable(a) && { displacement: displacementOf(a) }),
    ...(a.stopping && { isEnding: true }),
  };
  RUNNING.set(a, view);
  return view;
}

const displacementOf = (a: Allocation): Displacement => ({
  attempt: a.attempt,
  shortId: a.shortId,
  count: a.preemptedCount ?? 0,
  ...checkpointOf(a),
});

function nodeView(state: State, id: NodeId): NodeView {
  const node = present(state.tables.nodes.get(id), `no record of ${id}`);
  const load = state.indexes.nodeLoad.get(node.id);
  return {
    id: node.id,
    version: node.version,
    state: node.state,
    isDisabled: node.isDisabled,
    capacity: state.indexes.nodeViews.shared(node.capacity),
    free: subtractAmounts(node.capacity, load?.used ?? NOTHING),
    gpuFree: gpusFree(node.capacity, load),
    claimCount: load?.claims.size ?? 0,
    hasExclusiveClaim: (load?.exclusiveCount ?? 0) > 0,
    heldFor: state.indexes.heldFor.get(node.id),
  };
}
