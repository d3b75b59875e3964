/**
 * What the indexes say about one allocation: a function of its record, so that taking it
 * out and putting it in are mirror images, and a restart rebuilds them from the tables.
 */
import { OrderedMap } from "../../base/ordered-map.ts";
import type { Allocation, Hold, TaskOf } from "../domain/allocation.ts";
import type { AllocationId, NodeId, TaskGroupId, TenantId } from "../domain/ids.ts";
import { holdsNodes, isTerminal } from "../domain/lifecycle.ts";
import type { Amount, Claim } from "../domain/resources.ts";
import { addAmounts, NOTHING, subtractAmounts, wholeGpus } from "../domain/resources.ts";
import type { TaskGroup } from "../domain/task-group.ts";
import { isGroupOver } from "../domain/task-group.ts";
import type { NodeLoad, State, TenantLoad } from "./state.ts";

/** Returns the key of a name that only one of a user's allocations may hold. */
export const mutexKey = (tenant: TenantId, user: string, name: string): string => `${tenant}/${user}/${name}`;

/** Returns the mutex names that an allocation or group asks for, as keys. */
export const mutexKeysOf = (record: Pick<Allocation | TaskGroup, "spec" | "user">): readonly string[] =>
  record.spec.dependsOn
    .filter((d) => d.condition === "mutex")
    .map((d) => mutexKey(record.spec.tenant, record.user, d.ref));

/** Returns whether the record holds its mutex names: it has any, waits for none, and has not ended. */
const holdsMutex = (waitsFor: Allocation["waitsFor"], isOver: boolean): boolean =>
  !isOver && waitsFor.every((d) => d.condition !== "mutex");

/** Puts an allocation that has changed where it belongs; `before` is undefined when it was not there. */
export function reindexAllocation(state: State, before: Allocation | undefined, after: Allocation): void {
  if (before && isIndexedAlike(before, after)) return;
  if (before) unindexAllocation(state, before);
  indexAllocation(state, after);
}

/** Whether both hold the same claims: then no index can tell them apart. */
const isIndexedAlike = (before: Allocation, after: Allocation): boolean =>
  holdsNodes(before.state) &&
  holdsNodes(after.state) &&
  before.waitsFor === after.waitsFor &&
  before.parts.length === after.parts.length &&
  before.parts.every(({ claim }, i) => claim === after.parts[i]?.claim);

/** Puts an allocation into every index it belongs to. */
export function indexAllocation(state: State, a: Allocation): void {
  const { indexes } = state;
  indexes.byShortId.set(a.shortId, a.id);
  if (a.task) indexTask(state, a.task, a.id);
  if (a.hold) indexHold(state, a, a.hold);
  else if (a.state === "pending" && a.waitsFor.length === 0) enqueue(state, a);
  if (holdsNodes(a.state)) {
    indexes.active.add(a.id);
    countClass(state, a, 1);
    for (const part of a.parts) changeNodeLoad(state, a.id, { claim: part.claim, how: "add" });
    changeTenantLoad(state, a.spec.tenant, { open: 0, nodesHeld: a.parts.length });
  }
  if (a.spec.deadline !== undefined && !isTerminal(a.state)) indexes.withDeadline.add(a.id);
  if (isTerminal(a.state)) indexes.ended.set(a.id, a.version);
  else if (!a.task) changeTenantLoad(state, a.spec.tenant, { open: 1, nodesHeld: 0 });
  if (!isTerminal(a.state)) indexWaiting(state, a.id, a.waitsFor);
  indexMutex(state, a, isTerminal(a.state));
}

/** Takes an allocation out of every index it belongs to. */
export function unindexAllocation(state: State, a: Allocation): void {
  const { indexes } = state;
  if (a.hold) unindexHold(state, a, a.hold);
  else if (a.state === "pending") queueOf(state, a)?.delete(a.shortId);
  if (holdsNodes(a.state)) {
    indexes.active.delete(a.id);
    countClass(state, a, -1);
    for (const part of a.parts) changeNodeLoad(state, a.id, { claim: part.claim, how: "remove" });
    changeTenantLoad(state, a.spec.tenant, { open: 0, nodesHeld: -a.parts.length });
  }
  indexes.withDeadline.delete(a.id);
  if (isTerminal(a.state)) indexes.ended.delete(a.id);
  else if (!a.task) changeTenantLoad(state, a.spec.tenant, { open: -1, nodesHeld: 0 });
  unindexWaiting(state, a.id, a.waitsFor);
  unindexMutex(state, a);
}

/** Forgets an allocation that leaves memory. */
export function forgetAllocation(state: State, a: Allocation): void {
  unindexAllocation(state, a);
  state.indexes.byShortId.delete(a.shortId);
  if (a.task) state.indexes.tasks.get(a.task.group)?.delete(a.task.index);
}

/** Puts a task group into every index it belongs to. */
export function indexTaskGroup(state: State, group: TaskGroup): void {
  state.indexes.byShortId.set(group.shortId, group.id);
  const isOver = isGroupOver(group);
  if (!isOver) changeTenantLoad(state, group.spec.tenant, { open: 1, nodesHeld: 0 });
  if (!isOver) indexWaiting(state, group.id, group.waitsFor);
  indexMutex(state, group, isOver);
}

/** Takes a task group out of every index it belongs to, but for its numbers. */
export function unindexTaskGroup(state: State, group: TaskGroup): void {
  if (!isGroupOver(group)) changeTenantLoad(state, group.spec.tenant, { open: -1, nodesHeld: 0 });
  unindexWaiting(state, group.id, group.waitsFor);
  unindexMutex(state, group);
}

/** Returns what is free of each GPU of a node with this capacity. */
export function gpusFree(capacity: Amount, load: NodeLoad | undefined): readonly number[] {
  const whole = capacity.gpuMilli === 0 ? NO_GPUS : wholeGpus(capacity);
  if (!load || load.gpusUsed.length === 0) return whole;
  return whole.map((milli, device) => milli - (load.gpusUsed[device] ?? 0));
}

const NO_GPUS: readonly number[] = [];

/** Returns how many claims are on a node. */
export const claimCount = (state: State, node: NodeId): number => state.indexes.nodeLoad.get(node)?.claims.size ?? 0;

const EMPTY_LOAD: TenantLoad = { open: 0, nodesHeld: 0 };

/** Returns the counts that a tenant's quota is checked against. */
export const tenantLoadOf = (state: State, tenant: TenantId): TenantLoad =>
  state.indexes.tenantLoad.get(tenant) ?? EMPTY_LOAD;

function indexHold({ indexes }: State, a: Allocation, { nodes }: Hold): void {
  indexes.holders.set(a.shortId, a.id);
  for (const node of nodes) {
    indexes.heldFor.set(node, a.id);
    indexes.nodeViews.touch(node);
  }
}

function unindexHold({ indexes }: State, a: Allocation, { nodes }: Hold): void {
  indexes.holders.delete(a.shortId);
  for (const node of nodes) {
    indexes.heldFor.delete(node);
    indexes.nodeViews.touch(node);
  }
}

function countClass({ indexes: { activeByClass } }: State, { spec }: Allocation, change: 1 | -1): void {
  activeByClass[spec.preemptionClass] = (activeByClass[spec.preemptionClass] ?? 0) + change;
}

function enqueue(state: State, a: Allocation): void {
  queueOf(state, a)?.set(a.shortId, a.id);
  state.indexes.arrivals.add(a.id);
}

const queueOf = (state: State, a: Allocation) => state.indexes.queue[a.spec.preemptionClass];

function indexTask(state: State, { group, index }: TaskOf, id: AllocationId): void {
  const tasks = state.indexes.tasks.get(group);
  if (tasks) tasks.set(index, id);
  else state.indexes.tasks.set(group, new Map([[index, id]]));
}

function changeTenantLoad(state: State, tenant: TenantId, change: TenantLoad): void {
  const load = tenantLoadOf(state, tenant);
  state.indexes.tenantLoad.set(tenant, {
    open: load.open + change.open,
    nodesHeld: load.nodesHeld + change.nodesHeld,
  });
}

function changeNodeLoad(
  state: State,
  id: AllocationId,
  { claim, how }: { readonly claim: Claim; readonly how: "add" | "remove" },
): void {
  state.indexes.nodeViews.touch(claim.nodeId);
  let load = state.indexes.nodeLoad.get(claim.nodeId);
  if (!load) {
    load = { claims: new Map(), used: NOTHING, gpusUsed: [], exclusiveCount: 0 };
    state.indexes.nodeLoad.set(claim.nodeId, load);
  }
  if (how === "add") load.claims.set(id, claim);
  else load.claims.delete(id);
  load.used = how === "add" ? addAmounts(load.used, claim) : subtractAmounts(load.used, claim);
  for (const { device, milli } of claim.gpus ?? []) {
    load.gpusUsed[device] = (load.gpusUsed[device] ?? 0) + (how === "add" ? milli : -milli);
  }
  if (claim.isExclusive) load.exclusiveCount += how === "add" ? 1 : -1;
}

function indexWaiting(state: State, id: AllocationId | TaskGroupId, waitsFor: Allocation["waitsFor"]): void {
  for (const { on } of waitsFor) {
    if (on === undefined) continue;
    const set = state.indexes.dependents.get(on);
    if (set) set.add(id);
    else state.indexes.dependents.set(on, new Set([id]));
  }
}

function unindexWaiting(state: State, id: AllocationId | TaskGroupId, waitsFor: Allocation["waitsFor"]): void {
  for (const { on } of waitsFor) {
    if (on === undefined) continue;
    const set = state.indexes.dependents.get(on);
    set?.delete(id);
    if (set?.size === 0) state.indexes.dependents.delete(on);
  }
}

function indexMutex(state: State, record: Allocation | TaskGroup, isOver: boolean): void {
  if (isOver) return;
  const { mutexHolders, mutexWaiters } = state.indexes;
  const isHolder = holdsMutex(record.waitsFor, isOver);
  for (const key of mutexKeysOf(record)) {
    if (isHolder) {
      mutexHolders.set(key, record.id);
      continue;
    }
    const waiters = mutexWaiters.get(key);
    if (waiters) {
      waiters.set(record.shortId, record.id);
    } else {
      const first = new OrderedMap<AllocationId | TaskGroupId>();
      first.set(record.shortId, record.id);
      mutexWaiters.set(key, first);
    }
  }
}

function unindexMutex(state: State, record: Allocation | TaskGroup): void {
  const { mutexHolders, mutexWaiters } = state.indexes;
  for (const key of mutexKeysOf(record)) {
    if (mutexHolders.get(key) === record.id) mutexHolders.delete(key);
    const waiters = mutexWaiters.get(key);
    waiters?.delete(record.shortId);
    if (waiters?.size === 0) mutexWaiters.delete(key);
  }
}
