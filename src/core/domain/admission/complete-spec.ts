/**
 * From what a caller wrote to a complete spec: directives are merged under explicit
 * fields, defaults are filled in, and whatever makes no sense is refused with the field's
 * name. Pure, so every face and the CLI's dry run give the same answer.
 */
import { millis } from "../../../base/brand.ts";
import type { Result } from "../../../base/result.ts";
import { ok } from "../../../base/result.ts";
import type { AllocationSpec, DependencyCondition, DependencySpec, Program } from "../allocation.ts";
import type { AllocationRequest } from "../allocation-request.ts";
import type { Fault } from "../errors.ts";
import { refuse } from "../errors.ts";
import { tenantId, vclusterId } from "../ids.ts";
import { LIMITS } from "../limits.ts";
import { completeResources } from "../resource-request.ts";
import type { ResourceRequest } from "../resources.ts";
import { DEFAULT_VCLUSTER } from "../tenant.ts";
import { checkProgram } from "./program.ts";

const HOUR_MS = 3_600_000;
const DEFAULT_CLASS = 5;
const CONDITIONS: Readonly<Record<string, DependencyCondition>> = {
  success: "success",
  afterok: "success",
  after: "any",
  failure: "failure",
  afternotok: "failure",
  any: "any",
  afterany: "any",
  corresponding: "corresponding",
  aftercorr: "corresponding",
  mutex: "mutex",
  singleton: "mutex",
};

/** Puts explicit fields over the directives of the script; maps are joined. */
export function mergeRequests(directives: AllocationRequest, explicit: AllocationRequest): AllocationRequest {
  const given = Object.fromEntries(Object.entries(explicit).filter(([, value]) => value !== undefined));
  return {
    ...directives,
    ...given,
    tags: { ...directives.tags, ...explicit.tags },
    env: { ...directives.env, ...explicit.env },
    perNode: { ...directives.perNode, ...explicit.perNode },
  };
}

/** Returns the complete spec, or the fault that names the first field that is wrong. */
export function completeSpec(given: AllocationRequest): Result<AllocationSpec, Fault> {
  const request = given.lifecycle === "reactive" ? asService(given) : given;
  const program = checkProgram(request);
  if (!program.ok) return program;
  const resources = completeResources(request);
  if (!resources.ok) return resources;
  if (!request.tenant) return refuse("INVALID_BODY", "tenant is missing", "name the tenant that the work belongs to");
  const checked = checkFields(request);
  if (!checked.ok) return checked;
  const dependsOn = completeDependencies(request, request.name || defaultName(program.value));
  if (!dependsOn.ok) return dependsOn;
  return ok(assemble(request, { program: program.value, resources: resources.value, dependsOn: dependsOn.value }));
}

/** A service starts on the fewest nodes, wherever their number is given, and runs on each. */
function asService(request: AllocationRequest): AllocationRequest {
  const nodesMin = request.reactive?.nodesMin ?? request.nodesMin ?? 1;
  const nodesMax = request.reactive?.nodesMax ?? request.nodesMax ?? nodesMin;
  const reactive = { ...request.reactive, nodesMin, nodesMax };
  return { ...request, reactive, nodesMin, nodesMax: nodesMin, runOn: request.runOn || "every" };
}

interface Parts {
  readonly program: Program;
  readonly resources: ResourceRequest;
  readonly dependsOn: readonly DependencySpec[];
}

/** Fields are written in the order of their names, which makes the canonical text of the record cheap. */
function assemble(request: AllocationRequest, parts: Parts): AllocationSpec {
  const lifecycle = oneOf(request.lifecycle, ["bounded", "unbounded", "reactive"]) ?? "bounded";
  const isService = lifecycle !== "bounded";
  const isSensitive = request.isSensitive ?? false;
  const requeuePolicy = oneOf(request.requeuePolicy, ["never", "on_node_failure", "always"]);
  return {
    dependsOn: parts.dependsOn,
    env: request.env ?? {},
    ...(request.extra && Object.keys(request.extra).length > 0 && { extra: request.extra }),
    gracePeriodMs: millis(request.gracePeriodMs ?? 30_000),
    isSensitive,
    isolation: oneOf(request.isolation, ["rerun", "stop"]) ?? (isSensitive ? "stop" : "rerun"),
    lifecycle,
    name: request.name || defaultName(parts.program),
    preemptionClass: request.preemptionClass ?? DEFAULT_CLASS,
    program: parts.program,
    project: request.project ?? "",
    ...(lifecycle === "reactive" && {
      reactive: {
        metric: request.reactive?.metric ?? "",
        nodesMax: request.reactive?.nodesMax ?? 1,
        nodesMin: request.reactive?.nodesMin ?? 1,
        target: request.reactive?.target ?? "",
      },
    }),
    requeueMax: request.requeueMax ?? LIMITS.requeueDefault,
    requeuePolicy: requeuePolicy ?? (isService ? "always" : "on_node_failure"),
    resources: parts.resources,
    runOn: oneOf(request.runOn, ["first", "every"]) ?? (parts.program.kind === "script" ? "first" : "every"),
    stderrPath: request.stderrPath ?? "",
    stdoutPath: request.stdoutPath ?? "",
    tags: request.tags ?? {},
    tenant: tenantId(request.tenant ?? ""),
    vcluster: request.vcluster ? vclusterId(request.vcluster) : DEFAULT_VCLUSTER,
    walltimeMs: millis(isService ? 0 : (request.walltimeMs ?? HOUR_MS)),
    workdir: request.workdir ?? "",
  };
}

/** A command line is known by its first word, a script by what its submitter named it. */
function defaultName(program: Program): string {
  const word = program.kind === "argv" ? program.argv[0] : program.kind === "entrypoint" ? program.command : "script";
  return word?.trim().split(/\s+/)[0]?.split("/").at(-1)?.slice(0, 64) || "work";
}

function oneOf<T extends string>(text: string | undefined, allowed: readonly T[]): T | undefined {
  return allowed.find((value) => value === text);
}

function checkFields(request: AllocationRequest): Result<void, Fault> {
  const choices: readonly [string, string | undefined, readonly string[]][] = [
    ["lifecycle", request.lifecycle, ["bounded", "unbounded", "reactive"]],
    ["requeue_policy", request.requeuePolicy, ["never", "on_node_failure", "always"]],
    ["isolation", request.isolation, ["rerun", "stop"]],
    ["run_on", request.runOn, ["first", "every"]],
  ];
  for (const [field, value, allowed] of choices) {
    if (value !== undefined && value !== "" && !allowed.includes(value)) {
      return refuse("INVALID_SPEC", `${field} is ${JSON.stringify(value)}`, `give one of: ${allowed.join(", ")}`);
    }
  }
  const reactive = checkReactive(request);
  if (!reactive.ok) return reactive;
  const { preemptionClass, requeueMax, walltimeMs, gracePeriodMs } = request;
  const ranges: readonly [string, number | undefined, number, number][] = [
    ["preemption_class", preemptionClass, 0, LIMITS.preemptionClassMax],
    ["max_requeue", requeueMax, 0, LIMITS.requeueMax],
    // 0 is without limit, which only `--time=UNLIMITED` and its like ask for.
    ["walltime", walltimeMs, 0, Number.MAX_SAFE_INTEGER],
    ["grace_period", gracePeriodMs, 0, 24 * HOUR_MS],
  ];
  for (const [field, value, least, most] of ranges) {
    if (value !== undefined && !(Number.isFinite(value) && value >= least && value <= most)) {
      return refuse("INVALID_SPEC", `${field} is ${value} and must be from ${least} to ${most}`);
    }
  }
  return checkTexts(request);
}

/** A service that grows and shrinks must say by what. */
function checkReactive({ lifecycle, reactive, runOn }: AllocationRequest): Result<void, Fault> {
  if (lifecycle !== "reactive") return ok(undefined);
  const { metric = "", target = "", nodesMin = 1, nodesMax = nodesMin } = reactive ?? {};
  if (metric === "") return refuse("INVALID_SPEC", "reactive_metric is empty", "name what the service is measured by");
  if (!(Number(target) > 0 && Number.isFinite(Number(target)))) {
    return refuse("INVALID_SPEC", `reactive_target is ${JSON.stringify(target)} and must be a number above 0`);
  }
  if (!(nodesMin >= 1 && nodesMax >= nodesMin)) {
    return refuse("INVALID_SPEC", `a service cannot have ${nodesMin} to ${nodesMax} nodes`);
  }
  if (runOn === "first")
    return refuse("INVALID_SPEC", "a service that grows must run on every node", "leave out run_on");
  return ok(undefined);
}

function checkTexts(request: AllocationRequest): Result<void, Fault> {
  const texts: Readonly<Record<string, string | undefined>> = {
    name: request.name,
    tenant: request.tenant,
    project: request.project,
    vcluster: request.vcluster,
    workdir: request.workdir,
    stdout_path: request.stdoutPath,
    stderr_path: request.stderrPath,
    gpu_type: request.gpuType,
  };
  for (const [field, text] of Object.entries(texts)) {
    if (text !== undefined && text.length > LIMITS.textMax) return refuse("TOO_LARGE", `${field} is too long`);
    if (text !== undefined && /[\0\r\n]/.test(text)) {
      return refuse("INVALID_SPEC", `${field} has a line break or NUL character`);
    }
  }
  if (request.workdir && !request.workdir.startsWith("/")) {
    return refuse("INVALID_SPEC", `workdir is ${request.workdir} and must be an absolute path`);
  }
  const env = Object.entries(request.env ?? {});
  if (env.length > LIMITS.environmentVariablesMax) return refuse("TOO_LARGE", `env has ${env.length} variables`);
  const bad = env.find(([name, value]) => name === "" || /[=\0]/.test(name) || value.includes("\0"));
  if (bad) return refuse("INVALID_SPEC", `env has a variable that no process can have: ${JSON.stringify(bad[0])}`);
  return ok(undefined);
}

/** A mutex that names nothing is the allocation's own name (Slurm's singleton). */
function completeDependencies(request: AllocationRequest, ownName: string): Result<readonly DependencySpec[], Fault> {
  const given = request.dependsOn ?? [];
  if (given.length > LIMITS.dependenciesMax) return refuse("TOO_LARGE", `it has ${given.length} dependencies`);
  const dependsOn: DependencySpec[] = [];
  for (const { ref, condition } of given) {
    const known = condition === "" ? "success" : CONDITIONS[condition];
    if (known === undefined) {
      const next = "give one of: success, failure, any, corresponding, mutex";
      return refuse("INVALID_SPEC", `the dependency condition is ${JSON.stringify(condition)}`, next);
    }
    const named = ref === "" && known === "mutex" ? ownName : ref;
    if (named === "") return refuse("INVALID_SPEC", "a dependency names nothing");
    dependsOn.push({ ref: named, condition: known });
  }
  return ok(dependsOn);
}
