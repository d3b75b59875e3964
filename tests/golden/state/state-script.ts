/**
 * The small language of the state machine's golden files. A line proposes a command; what
 * it prints is the outcome when refused, and the changes of state. `show`, `desired` and
 * the like print records. After every line the invariants of the state are checked.
 */
import { millis } from "../../../src/base/brand.ts";
import type { AllocationSpec, DependencySpec, EndCause } from "../../../src/core/domain/allocation.ts";
import type { WorkloadReport } from "../../../src/core/domain/assignment.ts";
import type { AllocationId } from "../../../src/core/domain/ids.ts";
import {
  allocationId,
  dagId,
  nodeId,
  taskGroupId,
  taskId,
  tenantId,
  userId,
  vclusterId,
} from "../../../src/core/domain/ids.ts";
import type { Claim, ResourceRequest } from "../../../src/core/domain/resources.ts";
import { claimOn } from "../../../src/core/domain/resources.ts";
import type { TaskRange } from "../../../src/core/domain/task-group.ts";
import { DEFAULT_TENANT, DEFAULT_VCLUSTER, DEFAULT_WEIGHTS } from "../../../src/core/domain/tenant.ts";
import type { CommandBody, ProposedDependency } from "../../../src/core/state/commands.ts";
import { viewOf } from "../../../src/core/state/view.ts";
import { aRegistration, aRequest, aSpec, GIBIBYTE } from "../../fixtures/builders.ts";
import { checkState } from "../../fixtures/state-checks.ts";
import { StateWorld } from "../../fixtures/state-world.ts";
import {
  labelOf,
  showAllocation,
  showApplied,
  showDesired,
  showGroup,
  showHolds,
  showNode,
  showTenant,
} from "./state-print.ts";

interface Line {
  readonly words: readonly string[];
  readonly options: ReadonlyMap<string, string>;
}

type Obey = (world: StateWorld, line: Line) => readonly string[];

/** Returns an evaluator with a cluster of its own; it prints what its lines print. */
export function startState(): (lines: readonly string[]) => string {
  const world = new StateWorld();
  return (lines) =>
    lines
      .flatMap((line) => {
        const shown = obey(world, line);
        checkState(world.state);
        return shown;
      })
      .join("\n");
}

function obey(world: StateWorld, text: string): readonly string[] {
  const [command = "", ...rest] = text.trim().split(/\s+/);
  const run = COMMANDS[command];
  if (!run) throw new Error(`no command ${command}: ${text}`);
  const pairs = rest.filter((word) => word.includes("=")).map((word) => word.split(/=(.*)/));
  const options = new Map(pairs.map(([key = "", value = ""]) => [key, value]));
  return run(world, { words: rest.filter((word) => !word.includes("=")), options });
}

const COMMANDS: Readonly<Record<string, Obey>> = {
  node: (world, line) => [...registerNode(world, line), ...setHealth(world, line, "ready")],
  register: registerNode,
  health: (world, line) => setHealth(world, line, line.words[1]),
  drain: (world, { words: [name = "", ...why] }) =>
    propose(world, { kind: "drain-node", node: nodeId(name), reason: why.join(" ") }),
  undrain: (world, { words: [name = ""] }) => propose(world, { kind: "undrain-node", node: nodeId(name) }),
  disable: (world, { words: [name = "", ...why] }) =>
    propose(world, {
      kind: "disable-node",
      node: nodeId(name),
      reason: why.join(" "),
    }),
  enable: (world, { words: [name = ""] }) => propose(world, { kind: "enable-node", node: nodeId(name) }),
  tenant: setTenant,
  vcluster: (world, { words: [name = "", ...flags], options }) =>
    propose(world, {
      kind: "create-vcluster",
      vcluster: vclusterId(name),
      tenant: DEFAULT_TENANT,
      name,
      schedulerType: "hpc_backfill",
      weights: DEFAULT_WEIGHTS,
      dedicatedNodes: list(options.get("dedicated")).map(nodeId),
      allowsBorrowing: flags.includes("borrows") || options.has("borrows"),
      allowsLending: options.has("lends"),
      ...(options.has("lends") && { lendPart: number(options, "lends", 0) }),
      ...(options.has("borrows") && { borrowNodesMax: number(options, "borrows", 0) }),
      sharesNodes: flags.includes("shares"),
      ...(flags.includes("whole-gpus") && { splitsGpus: false }),
    }),
  submit,
  array: submitArray,
  dag: submitDag,
  preempt,
  grow: (world, { words: [name = "", node = ""] }) =>
    scale(world, name, { kind: "grow", claim: claimOf(world, name, node) }),
  shrink: (world, { words: [name = ""] }) => scale(world, name, { kind: "shrink" }),
  release: (world, { words: [name = ""] }) => propose(world, { kind: "release-hold", allocation: target(name) }),
  place: (world) => showApplied(world.state, world.place()),
  assign,
  report,
  cancel: (world, { words: [name = ""], options }) =>
    propose(world, { kind: "cancel", target: target(name) }, options.get("by")),
  "cancel-dag": (world, { words: [name = ""] }) => propose(world, { kind: "cancel-dag", dag: dagId(name) }),
  stop: (world, { words: [name = ""], options }) =>
    propose(world, {
      kind: "stop-allocation",
      allocation: target(name),
      attempt: number(options, "attempt", 1),
      reason: "walltime",
    }),
  walltime: (world, { words: [name = "", seconds] }) =>
    propose(world, {
      kind: "update-walltime",
      allocation: target(name),
      walltimeMs: millis(Number(seconds) * 1_000),
    }),
  archive: (world, { words }) => propose(world, { kind: "archive", ids: words.map(target) }),
  forget: (world, { words: [before] }) =>
    propose(world, { kind: "forget-idempotency", before: millis(Number(before)) }),
  time: (world, { words: [now] }) => {
    world.now = millis(Number(now));
    return [];
  },
  show: (world, { words }) => words.flatMap((name) => showAllocation(world.state, target(name))),
  group: (world, { words: [name = ""] }) => showGroup(world.state, taskGroupId(name)),
  nodes: (world) => [...world.state.tables.nodes.values()].map(showNode),
  load: (world, { words: [name = "default"] }) => [showTenant(world.state, tenantId(name))],
  queue: (world) => [[...viewOf(world.state).pending()].map(({ id }) => labelOf(world.state, id)).join(" ")],
  desired: (world, { words: [name = ""] }) => showDesired(world.state, nodeId(name)),
};

function propose(world: StateWorld, body: CommandBody, by = "ada"): readonly string[] {
  return showApplied(world.state, world.propose(body, { by: userId(by) }));
}

function registerNode(world: StateWorld, { words: [name = ""], options }: Line): readonly string[] {
  const registration = aRegistration(name, {
    cpus: number(options, "cpus", 8),
    memoryBytes: number(options, "memory", 32) * GIBIBYTE,
  });
  const instanceId = options.get("instance") ?? registration.instanceId;
  return propose(world, { kind: "register-node", registration: { ...registration, instanceId }, issues: [] });
}

function setHealth(world: StateWorld, { words, options }: Line, health = "ready"): readonly string[] {
  if (health !== "ready" && health !== "degraded" && health !== "down") throw new Error(`no health ${health}`);
  const [name = "", , ...reason] = words;
  const isolatedUntil = millis(number(options, "isolated-until", world.now));
  const node = nodeId(name);
  return propose(world, {
    kind: "set-node-health",
    node,
    health,
    reason: reason.join(" "),
    issues: [],
    isolatedUntil,
  });
}

function setTenant(world: StateWorld, { words: [name = ""], options }: Line): readonly string[] {
  const open = options.get("open");
  const quota = {
    nodesMax: number(options, "nodes", 1_000),
    fairShareTarget: 0,
    ...(open !== undefined && { concurrentAllocationsMax: Number(open) }),
  };
  const tenant = tenantId(name);
  if (world.state.tables.tenants.has(tenant)) return propose(world, { kind: "update-tenant", tenant, quota });
  return propose(world, { kind: "create-tenant", tenant, name, quota, isolation: "standard" });
}

/** Has others make room for the first that waits and cannot start otherwise. */
function preempt(world: StateWorld, { options }: Line): readonly string[] {
  const applied = world.preempt({
    classDistance: number(options, "distance", 1),
    countMax: number(options, "count-max", 10),
    checkpointMs: millis(number(options, "checkpoint", 60) * 1_000),
  });
  return applied ? [...showApplied(world.state, applied), ...showHolds(world.state)] : ["nobody makes room"];
}

function claimOf(world: StateWorld, name: string, node: string): Claim {
  const request = world.state.tables.allocations.get(target(name))?.spec.resources ?? aRequest();
  const capacity = world.state.tables.nodes.get(nodeId(node))?.capacity ?? aRegistration(node).capacity;
  return claimOn(request, { id: nodeId(node), capacity }, false);
}

function scale(
  world: StateWorld,
  name: string,
  change: Extract<CommandBody, { kind: "scale-service" }>["change"],
): readonly string[] {
  const allocation = target(name);
  const version = world.state.tables.allocations.get(allocation)?.version;
  if (version === undefined) throw new Error(`no allocation ${name}`);
  return propose(world, { kind: "scale-service", allocation, version, change, why: "requests is 9, its target 5" });
}

function submit(world: StateWorld, line: Line): readonly string[] {
  const [name = ""] = line.words;
  const { spec, dependencies } = specOf(name, line);
  const key = line.options.get("key");
  const idempotency = key === undefined ? undefined : { key, fingerprint: line.options.get("body") ?? name };
  const body = { kind: "submit-allocation", allocation: { id: allocationId(name), spec, dependencies } } as const;
  return showApplied(world.state, world.propose(body, idempotency && { idempotency }));
}

function submitArray(world: StateWorld, line: Line): readonly string[] {
  const [name = "", ranges = ""] = line.words;
  const { spec, dependencies } = specOf(name, line);
  return propose(world, {
    kind: "submit-task-group",
    id: taskGroupId(name),
    spec,
    ranges: ranges.split(",").map(rangeOf),
    concurrentMax: number(line.options, "at-once", 0),
    dependencies,
  });
}

function rangeOf(text: string): TaskRange {
  const [, start, end = start, step = "1"] = /^([0-9]+)(?:-([0-9]+))?(?::([0-9]+))?$/.exec(text) ?? [];
  return { start: Number(start), end: Number(end), step: Number(step) };
}

/** Members are written as name<upstream:condition<upstream…, the condition being success when left out. */
function submitDag(world: StateWorld, line: Line): readonly string[] {
  const [name = "", ...members] = line.words;
  return propose(world, {
    kind: "submit-dag",
    dag: dagId(name),
    tenant: DEFAULT_TENANT,
    members: members.map((text) => {
      const [member = "", ...upstream] = text.split("<");
      const options = new Map([...line.options, ["after", upstream.join(",")]]);
      return { id: allocationId(member), ...specOf(member, { words: [], options }) };
    }),
  });
}

function specOf(
  name: string,
  { words, options }: Line,
): { readonly spec: AllocationSpec; readonly dependencies: readonly ProposedDependency[] } {
  const dependsOn = dependenciesOf(options);
  const spec = aSpec({
    name,
    tenant: tenantId(options.get("tenant") ?? DEFAULT_TENANT),
    vcluster: vclusterId(options.get("vcluster") ?? DEFAULT_VCLUSTER),
    resources: resourcesOf(options),
    walltimeMs: millis(number(options, "walltime", 3_600) * 1_000),
    preemptionClass: number(options, "class", 5),
    requeuePolicy: oneOf(["never", "on_node_failure", "always"], options.get("requeue"), "on_node_failure"),
    requeueMax: number(options, "requeue-max", 3),
    lifecycle: oneOf(["bounded", "unbounded", "reactive"], options.get("lifecycle"), "bounded"),
    ...(options.has("most") && {
      reactive: {
        nodesMin: number(options, "nodes", 1),
        nodesMax: number(options, "most", 1),
        metric: "requests",
        target: "5",
      },
    }),
    runOn: oneOf(["first", "every"], options.get("run"), "first"),
    isolation: oneOf(["rerun", "stop"], options.get("isolation"), "rerun"),
    gracePeriodMs: millis(number(options, "grace", 30) * 1_000),
    isSensitive: words.includes("sensitive"),
    ...(options.has("checkpoint") && { extra: { checkpoint: { strategy: options.get("checkpoint") } } }),
    dependsOn,
  });
  return { spec, dependencies: dependsOn.map(proposed) };
}

function resourcesOf(options: ReadonlyMap<string, string>): ResourceRequest {
  const nodesMin = number(options, "nodes", 1);
  const gpuMilli = number(options, "gpus", 0) * 1_000;
  return aRequest({ nodesMin, perNode: { cpus: number(options, "cpus", 0), memoryBytes: 0, gpuMilli } });
}

function dependenciesOf(options: ReadonlyMap<string, string>): readonly DependencySpec[] {
  const after = list(options.get("after")).map((text): DependencySpec => {
    const [ref = "", condition] = text.split(":");
    return { ref, condition: oneOf(["success", "failure", "any", "corresponding"], condition, "success") };
  });
  return [...after, ...list(options.get("mutex")).map((ref) => ({ ref, condition: "mutex" as const }))];
}

const proposed = ({ ref, condition }: DependencySpec): ProposedDependency =>
  condition === "mutex" ? { condition, mutex: ref } : { condition, on: target(ref) };

function assign(world: StateWorld, { words: [name = "", ...nodes], options }: Line): readonly string[] {
  const id = target(name);
  const a = world.state.tables.allocations.get(id);
  const request = a?.spec.resources ?? aRequest();
  const isShared = options.get("share") === "yes";
  const claims = nodes.map((node) => {
    const capacity = world.state.tables.nodes.get(nodeId(node))?.capacity;
    return claimOn(request, { id: nodeId(node), capacity: capacity ?? aRegistration(node).capacity }, isShared);
  });
  const version = a?.version ?? world.state.tables.allocations.values().next().value?.version;
  if (version === undefined) throw new Error("nothing was submitted");
  return propose(world, { kind: "assign-nodes", placements: [{ allocation: id, version, claims }] });
}

/** Reports the phase from the node named by `on`, or from every node of the allocation. */
function report(world: StateWorld, { words: [name = "", phase = ""], options }: Line): readonly string[] {
  const allocation = target(name);
  const a = world.state.tables.allocations.get(allocation);
  const nodes = options.has("on") ? list(options.get("on")) : (a?.parts ?? []).map(({ claim }) => claim.nodeId);
  const exit = options.get("exit");
  const signal = options.get("signal");
  const cause = options.get("cause");
  const one: WorkloadReport = {
    allocation,
    attempt: number(options, "attempt", a?.attempt ?? 1),
    phase: oneOf(["ready", "running", "ended"], phase, "ready"),
    ...(exit !== undefined && { exitCode: Number(exit) }),
    ...(signal !== undefined && { signal: Number(signal) }),
    ...(cause !== undefined && { cause: oneOf(CAUSES, cause, "exited") }),
  };
  return nodes.flatMap((node) => propose(world, { kind: "record-reports", node: nodeId(node), reports: [one] }));
}

const CAUSES: readonly EndCause[] = [
  "exited",
  "walltime",
  "stopped",
  "lost",
  "start_failed",
  "out_of_memory",
  "supervisor_lost",
  "node_lost",
  "isolated",
  "checkpointed",
];

/** `name_7` is a task of an array; all other ids are the names themselves, whatever they name. */
function target(name: string): AllocationId {
  const [, group, index] = /^(.+)_([0-9]+)$/.exec(name) ?? [];
  return group === undefined ? allocationId(name) : taskId(taskGroupId(group), Number(index));
}

function oneOf<T extends string>(known: readonly T[], text: string | undefined, otherwise: T): T {
  if (text === undefined || text === "") return otherwise;
  const found = known.find((one) => one === text);
  if (!found) throw new Error(`${text} is none of ${known.join(", ")}`);
  return found;
}

const number = (options: ReadonlyMap<string, string>, key: string, otherwise: number): number =>
  Number(options.get(key) ?? otherwise);

const list = (text: string | undefined): readonly string[] => (text ? text.split(",") : []);
