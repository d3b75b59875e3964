/** Submitting: directives, defaults and checks, ids and look-ups of the proposer, then the command. */

import type { Millis } from "../../../base/brand.ts";
import { completeSpec, mergeRequests } from "../../../core/domain/admission/complete-spec.ts";
import type { AllocationSpec, DependencySpec } from "../../../core/domain/allocation.ts";
import type { AllocationRequest, Directives, Submission } from "../../../core/domain/allocation-request.ts";
import { orderDag } from "../../../core/domain/dag.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import { allocationId, dagId, taskGroupId } from "../../../core/domain/ids.ts";
import { isTerminal } from "../../../core/domain/lifecycle.ts";
import { LIMITS } from "../../../core/domain/limits.ts";
import type { TaskRange } from "../../../core/domain/task-group.ts";
import { rangeSize } from "../../../core/domain/task-group.ts";
import { parseMoment } from "../../../core/slurm/moment.ts";
import { parseDirectives } from "../../../core/slurm/parse-directives.ts";
import type { CommandBody, NewAllocation, ProposedDependency } from "../../../core/state/commands.ts";
import { groupOutcome } from "../../../core/state/dependencies.ts";
import type { AuditedAct } from "../audit/auditor.ts";
import type { Call } from "../call.ts";
import type { Server } from "../server.ts";
import { demand } from "./access.ts";
import { find } from "./lookup.ts";
import { propose } from "./propose.ts";
import type { Submitted } from "./results.ts";

/** Submits one allocation, a workflow or an array, and returns the ids once they are stored. */
export async function submit(server: Server, call: Call, submission: Submission): Promise<Submitted> {
  const warnings: string[] = [];
  const body = await bodyOf(server, call, { submission, warnings });
  const output = await propose(server, call, {
    operation: "submit",
    request: submission,
    body,
    act: actOf(body, call),
  });
  if (output.kind !== "submitted") throw new LatticeError(fault("INTERNAL", `submit gave ${output.kind}`));
  return { ...output, warnings };
}

/** Sensitive work is audited from its submission on. */
function actOf(body: CommandBody, { principal }: Call): AuditedAct | undefined {
  const target = (spec: AllocationSpec, id: string): AuditedAct => ({
    operation: "allocation.submit",
    target: { tenant: spec.tenant, vcluster: spec.vcluster, allocation: id },
    resource: { owner: principal.user, tenant: spec.tenant, isSensitive: spec.isSensitive },
  });
  switch (body.kind) {
    case "submit-allocation":
      return target(body.allocation.spec, body.allocation.id);
    case "submit-task-group":
      return target(body.spec, body.id);
    case "submit-dag": {
      const first = body.members.find(({ spec }) => spec.isSensitive) ?? body.members[0];
      return first && target(first.spec, first.id);
    }
    default:
      return undefined;
  }
}

interface Draft {
  readonly submission: Submission;
  readonly warnings: string[];
}

async function bodyOf(server: Server, call: Call, { submission, warnings }: Draft): Promise<CommandBody> {
  switch (submission.kind) {
    case "dag":
      return dagBody(server, call, { submission, warnings });
    case "task-group": {
      const { spec } = specOf({ server, call }, submission.template, warnings);
      return groupBody(server, spec, submission);
    }
    case "single": {
      const { spec, array } = specOf({ server, call }, submission.request, warnings);
      if (array) return groupBody(server, spec, array);
      const dependencies = await dependenciesOf(server, spec);
      return { kind: "submit-allocation", allocation: { id: allocationId(server.entropy.uuid()), spec, dependencies } };
    }
  }
}

async function groupBody(
  server: Server,
  spec: AllocationSpec,
  array: { readonly ranges: readonly TaskRange[]; readonly concurrentMax: number },
): Promise<CommandBody> {
  checkRanges(array.ranges);
  const dependencies = await dependenciesOf(server, spec);
  const { ranges, concurrentMax } = array;
  return {
    kind: "submit-task-group",
    id: taskGroupId(server.entropy.uuid()),
    spec,
    ranges,
    concurrentMax,
    dependencies,
  };
}

async function dagBody(
  server: Server,
  call: Call,
  draft: { readonly submission: Extract<Submission, { kind: "dag" }>; readonly warnings: string[] },
): Promise<CommandBody> {
  const { requests, dagId: chosen } = draft.submission;
  if (requests.length === 0) throw new LatticeError(fault("INVALID_SPEC", "the workflow has no members"));
  if (requests.length > LIMITS.dagAllocationsMax) {
    const text = `the workflow has ${requests.length} members and may have ${LIMITS.dagAllocationsMax}`;
    throw new LatticeError(fault("TOO_LARGE", text, "split it, or use an array for members that are alike"));
  }
  const specs = requests.map((request, n) => {
    if (!request.name) throw new LatticeError(fault("INVALID_SPEC", `member ${n + 1} of the workflow has no name`));
    const { spec, array } = specOf({ server, call }, request, draft.warnings);
    if (array)
      throw new LatticeError(fault("NOT_SUPPORTED", `member ${spec.name} is an array, which a workflow cannot hold`));
    return spec;
  });
  const names = new Set(specs.map((spec) => spec.name));
  const inside = (d: DependencySpec) => d.condition !== "mutex" && names.has(d.ref);
  const edges = specs.map(({ name, dependsOn }) => ({ name, dependsOn: dependsOn.filter(inside).map((d) => d.ref) }));
  const order = orderDag(edges);
  if (!order.ok) throw new LatticeError(order.error);
  const ids = new Map(specs.map((spec) => [spec.name, allocationId(server.entropy.uuid())]));
  const members = await Promise.all(
    specs.map(async (spec): Promise<NewAllocation> => {
      const id = ids.get(spec.name) ?? allocationId(server.entropy.uuid());
      return { id, spec, dependencies: await dependenciesOf(server, spec, ids) };
    }),
  );
  const tenant = specs[0]?.tenant;
  if (tenant === undefined || specs.some((spec) => spec.tenant !== tenant)) {
    throw new LatticeError(fault("INVALID_SPEC", "the members of a workflow belong to different tenants"));
  }
  return { kind: "submit-dag", dag: dagId(chosen || server.entropy.uuid()), tenant, members };
}

/** Completes one request; directives of its script come first and are overruled by explicit fields. */
function specOf(
  { server, call }: { readonly server: Server; readonly call: Call },
  request: AllocationRequest,
  warnings: string[],
): { readonly spec: AllocationSpec; readonly array: Directives["array"] } {
  const directives = request.script ? readDirectives(request.script) : undefined;
  if (directives) warnings.push(...directives.warnings);
  const merged = directives ? mergeRequests(directives.request, request) : request;
  const spec = completeSpec(merged);
  if (!spec.ok) throw new LatticeError(spec.error);
  demand(call, "allocation.submit", { tenant: spec.value.tenant });
  if (spec.value.reactive && !server.measuresServices) warnings.push(UNMEASURED);
  return {
    spec: { ...spec.value, ...momentsOf(merged, { now: server.clock.now(), walltimeMs: spec.value.walltimeMs }) },
    array: directives?.array,
  };
}

const UNMEASURED =
  "it stays on its fewest nodes: this cluster reads no metrics; an administrator sets telemetry.tsdb_endpoint";

/** Reads moments by the clock of this server; what names no zone is in UTC. */
function momentsOf(
  { begin, deadline }: AllocationRequest,
  { now, walltimeMs }: { readonly now: Millis; readonly walltimeMs: Millis },
): Pick<AllocationSpec, "begin" | "deadline"> {
  const read = (text: string): Millis => {
    const at = parseMoment(text, { now, zoneMs: 0 });
    if (!at.ok) throw new LatticeError(at.error);
    return at.value;
  };
  const moments = { ...(begin && { begin: read(begin) }), ...(deadline && { deadline: read(deadline) }) };
  const from = Math.max(now, moments.begin ?? now);
  if (moments.deadline !== undefined && moments.deadline < from + Math.max(1, walltimeMs)) {
    const text = `it may run for ${walltimeMs / 1000} s and cannot have ended by its deadline ${deadline}`;
    throw new LatticeError(fault("INVALID_SPEC", text, "ask for less walltime, an earlier begin or a later deadline"));
  }
  return moments;
}

function readDirectives(script: string): Directives {
  const directives = parseDirectives(script);
  if (!directives.ok) throw new LatticeError(directives.error);
  return directives.value;
}

function checkRanges(ranges: readonly TaskRange[]): void {
  const isWhole = (n: number) => Number.isSafeInteger(n) && n >= 0;
  for (const { start, end, step } of ranges) {
    if (![start, end, step].every(isWhole) || step < 1 || end < start) {
      throw new LatticeError(fault("INVALID_SPEC", `the array range ${start}-${end}:${step} is empty or malformed`));
    }
  }
  const total = ranges.reduce((sum, range) => sum + rangeSize(range), 0);
  if (total === 0) throw new LatticeError(fault("INVALID_SPEC", "the array has no tasks"));
  if (total > LIMITS.arrayTasksMax) {
    const text = `the array has ${total} tasks and may have ${LIMITS.arrayTasksMax}`;
    throw new LatticeError(fault("TOO_LARGE", text, "split it into several arrays"));
  }
}

/** Looks up what the dependencies name, in the latest state; `members` are the names of a workflow. */
async function dependenciesOf(
  server: Server,
  spec: AllocationSpec,
  members?: ReadonlyMap<string, ReturnType<typeof allocationId>>,
): Promise<readonly ProposedDependency[]> {
  const isOutside = ({ ref, condition }: DependencySpec) => condition !== "mutex" && !members?.has(ref);
  if (spec.dependsOn.some(isOutside)) await server.replica.readBarrier();
  return spec.dependsOn.map(({ ref, condition }): ProposedDependency => {
    if (condition === "mutex") return { condition, mutex: ref };
    const member = members?.get(ref);
    if (member) return { condition, on: member };
    const found = find(server, ref);
    const outcome = found.kind === "allocation" ? found.record.state : groupOutcome(found.record);
    const isPast = found.isArchived && isTerminal(outcome);
    return { condition, on: found.record.id, ...(isPast && { archivedOutcome: outcome }) };
  });
}
