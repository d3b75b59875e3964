/** Submissions: quota, dependencies, and the records they create. */
import type { Result } from "../../../base/result.ts";
import { ok } from "../../../base/result.ts";
import type { Allocation, AllocationSpec, Dependency } from "../../domain/allocation.ts";
import type { Fault } from "../../domain/errors.ts";
import { refuse } from "../../domain/errors.ts";
import type { DagId, ShortId } from "../../domain/ids.ts";
import { rangeSize } from "../../domain/task-group.ts";
import type { Applying } from "../applying.ts";
import { createAllocation, takeShortId, writeTaskGroup } from "../applying.ts";
import type { CommandBody, NewAllocation, Outcome, ProposedDependency } from "../commands.ts";
import { findTaskGroup, judge, outcomeOf } from "../dependencies.ts";
import { tenantLoadOf } from "../index-allocation.ts";
import { takeMutexes } from "../settle.ts";
import { bearTasks } from "../task-groups.ts";

type Submit<K extends CommandBody["kind"]> = Extract<CommandBody, { kind: K }>;

/** Creates one allocation. */
export function submitAllocation(ctx: Applying, command: Submit<"submit-allocation">): Outcome {
  const { id, spec, dependencies } = command.allocation;
  const admitted = admit(ctx, spec, { id, count: 1 });
  if (!admitted.ok) return admitted;
  const waitsFor = resolve(ctx, dependencies, {});
  if (!waitsFor.ok) return waitsFor;
  const shortId = create(ctx, command.allocation, { waitsFor: waitsFor.value });
  return ok({ kind: "submitted", allocations: [{ id, shortId }] });
}

/** Creates a workflow: all of its members or none. */
export function submitDag(ctx: Applying, command: Submit<"submit-dag">): Outcome {
  const { dag, tenant, members } = command;
  if (ctx.state.tables.dags.has(dag)) return refuse("ALREADY_EXISTS", `workflow ${dag} exists already`);
  const ids = members.map((m) => m.id);
  const known: ReadonlySet<string> = new Set(ids);
  const resolved: (readonly Dependency[])[] = [];
  for (const [n, member] of members.entries()) {
    const admitted = admit(ctx, member.spec, { id: member.id, count: n === 0 ? members.length : 0 });
    if (!admitted.ok) return admitted;
    const waitsFor = resolve(ctx, member.dependencies, { siblings: known });
    if (!waitsFor.ok) return waitsFor;
    resolved.push(waitsFor.value);
  }
  const allocations = members.map((member, n) => ({
    id: member.id,
    shortId: create(ctx, member, { waitsFor: resolved[n] ?? [], dag }),
  }));
  ctx.state.tables.dags.put(dag, {
    id: dag,
    version: ctx.index,
    tenant,
    user: ctx.by,
    members: ids,
    submittedAt: ctx.at,
  });
  return ok({ kind: "submitted", allocations, dag });
}

/** Creates an array: one record; the first tasks are born with it. */
export function submitTaskGroup(ctx: Applying, command: Submit<"submit-task-group">): Outcome {
  const { id, spec, ranges, concurrentMax } = command;
  const admitted = admit(ctx, spec, { id, count: 1 });
  if (!admitted.ok) return admitted;
  const waitsFor = resolve(ctx, command.dependencies, { isGroup: true });
  if (!waitsFor.ok) return waitsFor;
  const shortId = takeShortId(ctx);
  const counts = { pending: 0, running: 0, completed: 0, failed: 0, cancelled: 0 };
  const total = ranges.reduce((sum, range) => sum + rangeSize(range), 0);
  const common = { id, shortId, user: ctx.by, spec, ranges, total, concurrentMax, submittedAt: ctx.at };
  const group = { ...common, born: 0, counts, isCancelled: false, waitsFor: waitsFor.value };
  writeTaskGroup(ctx, undefined, group);
  takeMutexes(ctx, id);
  bearTasks(ctx, id);
  return ok({ kind: "submitted", allocations: [], taskGroup: { id, shortId } });
}

function create(
  ctx: Applying,
  member: NewAllocation,
  { waitsFor, dag }: { readonly waitsFor: readonly Dependency[]; readonly dag?: DagId },
): ShortId {
  const shortId = takeShortId(ctx);
  // In the order of their names: the canonical text of the record is cheap then.
  const allocation: Allocation = {
    attempt: 1,
    ...(dag && { dag }),
    id: member.id,
    message: "",
    ...(member.spec.begin !== undefined && { notBefore: member.spec.begin }),
    parts: [],
    requeueCount: 0,
    shortId,
    spec: member.spec,
    state: "pending",
    submittedAt: ctx.at,
    user: ctx.by,
    version: ctx.index,
    waitsFor,
    walltimeMs: member.spec.walltimeMs,
  };
  createAllocation(ctx, allocation);
  takeMutexes(ctx, member.id);
  return shortId;
}

/**
 * Checks what the proposer could not know for sure.
 * Invariant INV-S2: open allocations and nodes held never exceed the tenant's quota; a
 * smaller quota only blocks what is new.
 */
function admit(
  ctx: Applying,
  spec: AllocationSpec,
  { id, count }: { readonly id: string; readonly count: number },
): Result<void, Fault> {
  const { tables } = ctx.state;
  const tenant = tables.tenants.get(spec.tenant);
  if (!tenant) {
    const next = `create it with: lattice admin tenant create --name=${spec.tenant}`;
    return refuse("TENANT_NOT_FOUND", `there is no tenant ${spec.tenant}`, next);
  }
  const vcluster = tables.vclusters.get(spec.vcluster);
  if (!vcluster) return refuse("VCLUSTER_NOT_FOUND", `there is no vCluster ${spec.vcluster}`);
  if (vcluster.splitsGpus === false && spec.resources.perNode.gpuMilli % 1_000 !== 0) {
    const asked = spec.resources.perNode.gpuMilli / 1_000;
    return refuse("INVALID_SPEC", `it asks for ${asked} GPUs and vCluster ${vcluster.id} gives whole ones`);
  }
  if (outcomeOf(ctx.state, id) !== undefined) return refuse("ALREADY_EXISTS", `allocation ${id} exists already`);
  const { nodesMax, concurrentAllocationsMax } = tenant.quota;
  if (spec.resources.nodesMin > nodesMax) {
    const asked = spec.resources.nodesMin;
    return refuse("QUOTA_EXCEEDED", `it asks for ${asked} nodes and tenant ${tenant.id} may hold ${nodesMax}`);
  }
  const { open } = tenantLoadOf(ctx.state, tenant.id);
  if (concurrentAllocationsMax !== undefined && open + count > concurrentAllocationsMax) {
    const limit = `tenant ${tenant.id} may have ${concurrentAllocationsMax} open allocations`;
    const text = `${limit}, has ${open}, and this adds ${count}`;
    return refuse("QUOTA_EXCEEDED", text, "wait for some to end, or ask for a larger quota");
  }
  return ok(undefined);
}

/** Drops dependencies that hold already and refuses those that never can. Tasks that correspond are judged one by one. */
function resolve(
  ctx: Applying,
  proposed: readonly ProposedDependency[],
  options: { readonly siblings?: ReadonlySet<string>; readonly isGroup?: boolean },
): Result<readonly Dependency[], Fault> {
  const waitsFor: Dependency[] = [];
  for (const { archivedOutcome, ...dependency } of proposed) {
    const { on, condition } = dependency;
    if (on === undefined || options.siblings?.has(on)) {
      waitsFor.push(dependency);
      continue;
    }
    const outcome = outcomeOf(ctx.state, on) ?? archivedOutcome;
    if (outcome === undefined) return refuse("ALLOCATION_NOT_FOUND", `it depends on ${on}, which does not exist`);
    const isByTask = options.isGroup && condition === "corresponding" && findTaskGroup(ctx.state, on) !== undefined;
    const verdict = isByTask ? "waiting" : judge(condition, outcome);
    if (verdict === "never") {
      return refuse("DEPENDENCY_UNSATISFIABLE", `it needs ${condition} of ${on}, which ended as ${outcome}`);
    }
    if (verdict === "waiting") waitsFor.push(dependency);
  }
  return ok(waitsFor);
}
