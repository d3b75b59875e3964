/**
 * Commands drawn at random for the properties of the state machine. A drawn step holds
 * only numbers; `toCommand` turns it into a command by looking at what the state has, so
 * that most steps do something and every kind of command meets every kind of record.
 */
import fc from "fast-check";
import { logIndex, millis } from "../../src/base/brand.ts";
import type { Allocation, AllocationSpec, DependencySpec } from "../../src/core/domain/allocation.ts";
import { allocationId, dagId, nodeId, taskGroupId, tenantId, vclusterId } from "../../src/core/domain/ids.ts";
import { holdsNodes } from "../../src/core/domain/lifecycle.ts";
import { claimOn } from "../../src/core/domain/resources.ts";
import { DEFAULT_TENANT, DEFAULT_VCLUSTER, DEFAULT_WEIGHTS } from "../../src/core/domain/tenant.ts";
import { plan } from "../../src/core/scheduler/plan.ts";
import { DEFAULT_POLICY } from "../../src/core/scheduler/policy.ts";
import { planPreemption, startHolders } from "../../src/core/scheduler/preempt.ts";
import type { CommandBody, ProposedDependency } from "../../src/core/state/commands.ts";
import { viewOf } from "../../src/core/state/view.ts";
import { aCapacity, aRegistration, aRequest, aSpec } from "../fixtures/builders.ts";
import type { StateWorld } from "../fixtures/state-world.ts";

const KINDS = [
  "submit",
  "submit",
  "submit",
  "array",
  "dag",
  "plan",
  "plan",
  "plan",
  "assign",
  "preempt",
  "preempt",
  "release",
  "report",
  "report",
  "report",
  "report",
  "cancel",
  "stop",
  "walltime",
  "register",
  "health",
  "health",
  "drain",
  "undrain",
  "disable",
  "enable",
  "vcluster",
  "archive",
  "time",
] as const;

/** One drawn step: a kind and the numbers that decide its details. */
export interface Step {
  readonly kind: (typeof KINDS)[number];
  readonly picks: readonly number[];
}

export const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    kind: fc.constantFrom(...KINDS),
    picks: fc.array(fc.nat({ max: 10_000 }), { minLength: 12, maxLength: 12 }),
  }),
  { minLength: 20, maxLength: 80 },
);

const NODES = ["n0", "n1", "n2"].map(nodeId);
const LAB = tenantId("lab");
const POOL = vclusterId("pool");
/** Smaller than what the nodes and the queue would allow, so that it is met. */
const QUOTA = { nodesMax: 2, fairShareTarget: 0, concurrentAllocationsMax: 6 };

/** Proposes what every world begins with: nodes, a tenant with a quota, a vCluster that shares nodes. */
export function prepare(world: StateWorld): void {
  for (const node of NODES) {
    world.propose({ kind: "register-node", registration: aRegistration(node, { cpus: 4 }), issues: [] });
    world.propose(healthOf(world, node, "ready"));
  }
  world.propose({ kind: "create-tenant", tenant: LAB, name: "lab", quota: QUOTA, isolation: "standard" });
  world.propose({
    kind: "create-vcluster",
    vcluster: POOL,
    tenant: LAB,
    name: "pool",
    schedulerType: "hpc_backfill",
    weights: DEFAULT_WEIGHTS,
    dedicatedNodes: [],
    allowsBorrowing: false,
    allowsLending: false,
    sharesNodes: true,
  });
}

/** Takes numbers off a step, one after another. */
type Draw = <T>(choices: readonly T[]) => T;

function drawFrom(picks: readonly number[]): Draw {
  let at = 0;
  return (choices) => {
    const choice = choices[(picks[at++ % picks.length] ?? 0) % choices.length];
    if (choice === undefined) throw new Error("nothing to choose from");
    return choice;
  };
}

/** Returns the command of a step, or undefined where the state has nothing that it could be about. */
export function toCommand(world: StateWorld, step: Step): CommandBody | undefined {
  const draw = drawFrom(step.picks);
  const name = `x${world.log.length}`;
  switch (step.kind) {
    case "submit":
      return { kind: "submit-allocation", allocation: newAllocation(world, draw, name) };
    case "array":
      return arrayOf(world, draw, name);
    case "dag":
      return dagOf(world, draw, name);
    case "plan": {
      const { decisions } = plan(viewOf(world.state), DEFAULT_POLICY, world.now);
      return { kind: "assign-nodes", placements: [...startHolders(viewOf(world.state), world.now), ...decisions] };
    }
    case "assign":
      return strayPlacement(world, draw);
    case "preempt":
      return preemptionOf(world, draw);
    case "release": {
      const ids = [...world.state.tables.allocations.keys()].map((id) => allocationId(id));
      const holders = [...world.state.indexes.holders.values()];
      if (ids.length === 0) return undefined;
      return { kind: "release-hold", allocation: draw(holders.length > 0 ? holders : ids) };
    }
    case "report":
      return reportOf(world, draw);
    case "vcluster":
      return {
        kind: "update-vcluster",
        vcluster: POOL,
        sharesNodes: draw([true, false]),
        dedicatedNodes: draw([[], NODES.slice(0, 1)]),
      };
    case "archive":
      return { kind: "archive", ids: [...world.state.tables.allocations.keys()].map((id) => allocationId(id)) };
    case "time":
      world.now = millis(world.now + draw([1, 1_000, 60_000]));
      return undefined;
    case "cancel":
    case "stop":
    case "walltime":
      return onAllocation(world, draw, step.kind);
    default:
      return onNode(world, draw, step.kind);
  }
}

function newAllocation(world: StateWorld, draw: Draw, name: string) {
  const dependsOn = draw([[], [], [dependency(world, draw)], [{ ref: draw(["a", "b"]), condition: "mutex" as const }]]);
  return { id: allocationId(name), spec: specOf(draw, name, dependsOn), dependencies: dependsOn.map(proposed) };
}

function specOf(draw: Draw, name: string, dependsOn: readonly DependencySpec[]): AllocationSpec {
  const isLab = draw([true, false]);
  const nodesMin = draw([1, 1, 1, 2]);
  return aSpec({
    name,
    tenant: isLab ? LAB : DEFAULT_TENANT,
    vcluster: isLab ? POOL : DEFAULT_VCLUSTER,
    resources: aRequest({ nodesMin, perNode: { cpus: draw([0, 1, 2]), memoryBytes: 0, gpuMilli: 0 } }),
    preemptionClass: draw([1, 5]),
    requeuePolicy: draw(["never", "on_node_failure", "always"]),
    requeueMax: draw([0, 1, 100]),
    lifecycle: draw(["bounded", "bounded", "unbounded"]),
    runOn: draw(["first", "every"]),
    isolation: draw(["rerun", "stop"]),
    isSensitive: draw([false, false, true]),
    dependsOn,
  });
}

function dependency(world: StateWorld, draw: Draw): DependencySpec {
  const known = [...world.state.tables.allocations.keys(), ...world.state.tables.taskGroups.keys()];
  const condition = draw(["success", "failure", "any", "corresponding"] as const);
  return { ref: draw(known.length > 0 ? known : ["nobody"]), condition };
}

const proposed = ({ ref, condition }: DependencySpec): ProposedDependency =>
  condition === "mutex" ? { condition, mutex: ref } : { condition, on: allocationId(ref) };

function arrayOf(world: StateWorld, draw: Draw, name: string): CommandBody {
  const groups = [...world.state.tables.taskGroups.keys()];
  const ref = draw(groups.length > 0 ? groups : ["nobody"]);
  const upstream: readonly DependencySpec[] = groups.length > 0 ? [{ ref, condition: "corresponding" }] : [];
  const mutex: readonly DependencySpec[] = [{ ref: draw(["a", "b"]), condition: "mutex" }];
  const dependsOn = draw([[], upstream, upstream, mutex, [...upstream, ...mutex]]);
  return {
    kind: "submit-task-group",
    id: taskGroupId(name),
    spec: specOf(draw, name, dependsOn),
    ranges: draw([[{ start: 0, end: 3, step: 1 }], [{ start: 1, end: 5, step: 2 }]]),
    concurrentMax: draw([0, 1, 2]),
    dependencies: dependsOn.map(proposed),
  };
}

function dagOf(world: StateWorld, draw: Draw, name: string): CommandBody {
  const first = { ...newAllocation(world, draw, `${name}a`) };
  const condition = draw(["success", "failure", "any"] as const);
  const dependsOn = [{ ref: first.id, condition }];
  const spec = { ...first.spec, name: `${name}b`, dependsOn };
  const second = { id: allocationId(`${name}b`), spec, dependencies: dependsOn.map(proposed) };
  return { kind: "submit-dag", dag: dagId(name), tenant: first.spec.tenant, members: [second, first] };
}

/** What no scheduler would propose: nodes chosen without a look. */
function strayPlacement(world: StateWorld, draw: Draw): CommandBody | undefined {
  const all = [...world.state.tables.allocations.values()];
  if (all.length === 0) return undefined;
  const a = draw(all);
  const nodes = draw([[draw(NODES)], NODES.slice(0, 2)]);
  const isShared = draw([true, false]);
  const claims = nodes.map((node) => {
    const capacity = world.state.tables.nodes.get(node)?.capacity ?? aCapacity();
    return claimOn(a.spec.resources, { id: node, capacity }, isShared);
  });
  const version = draw([a.version, a.version, logIndex(1)]);
  return { kind: "assign-nodes", placements: [{ allocation: a.id, version, claims }] };
}

/** What the scheduler would plan, or what it never would: any victims, any nodes. */
function preemptionOf(world: StateWorld, draw: Draw): CommandBody | undefined {
  const preemption = { classDistance: 1, countMax: 5, checkpointMs: millis(draw([0, 60_000])) };
  const planned = planPreemption(viewOf(world.state), { ...DEFAULT_POLICY, preemption }, world.now);
  const common = { holdUntil: millis(world.now + draw([0, 90_000])), checkpointMs: preemption.checkpointMs };
  if (planned) return { kind: "preempt-allocations", preemption: { ...planned, ...common } };
  const all = [...world.state.tables.allocations.values()];
  if (all.length === 0) return undefined;
  const [a, victim] = [draw(all), draw(all)];
  const victims = [{ allocation: victim.id, attempt: draw([victim.attempt, 0]) }];
  const nodes = draw([[draw(NODES)], victim.parts.map(({ claim }) => claim.nodeId)]);
  return {
    kind: "preempt-allocations",
    preemption: { allocation: a.id, version: a.version, nodes, victims, ...common },
  };
}

function reportOf(world: StateWorld, draw: Draw): CommandBody | undefined {
  const all = [...world.state.tables.allocations.values()];
  const active = all.filter((a) => holdsNodes(a.state));
  if (all.length === 0) return undefined;
  const a = draw(active.length > 0 ? active : all);
  const held = a.parts.map(({ claim }) => claim.nodeId);
  const node = draw([...held, ...held, ...held, ...NODES]);
  const phase = draw(["ready", "running", "running", "ended", "ended", "ended"] as const);
  const end = endOf(a, draw);
  const attempt = draw([a.attempt, a.attempt, a.attempt, a.attempt - 1]);
  const report = { allocation: a.id, attempt, phase, ...(phase === "ended" && end) };
  return { kind: "record-reports", node, reports: [report] };
}

function endOf(a: Allocation, draw: Draw) {
  if (a.stopping) return { cause: draw(["stopped", "checkpointed", "exited"] as const), signal: 15 };
  return draw([
    { cause: "exited" as const, exitCode: 0 },
    { cause: "exited" as const, exitCode: 0 },
    { cause: "exited" as const, exitCode: 1 },
    { cause: "walltime" as const, signal: 15 },
    { cause: "lost" as const },
    { cause: "out_of_memory" as const, signal: 9 },
  ]);
}

function onAllocation(world: StateWorld, draw: Draw, kind: "cancel" | "stop" | "walltime"): CommandBody | undefined {
  const { allocations, taskGroups, dags } = world.state.tables;
  const all = [...allocations.values()];
  if (all.length === 0) return undefined;
  const a = draw(all);
  switch (kind) {
    case "cancel":
      if (dags.size > 0 && draw([true, false])) return { kind: "cancel-dag", dag: draw([...dags.keys()]) };
      return { kind: "cancel", target: draw([a.id, a.id, ...taskGroups.keys()]) };
    case "stop":
      return { kind: "stop-allocation", allocation: a.id, attempt: a.attempt, reason: "walltime" };
    case "walltime":
      return { kind: "update-walltime", allocation: a.id, walltimeMs: millis(draw([1_000, 60_000])) };
  }
}

function onNode(
  world: StateWorld,
  draw: Draw,
  kind: "register" | "health" | "drain" | "undrain" | "disable" | "enable",
): CommandBody {
  const node = draw(NODES);
  switch (kind) {
    case "register": {
      const registration = aRegistration(node, { cpus: draw([4, 4, 2]) });
      const instanceId = draw([registration.instanceId, "another"]);
      return { kind: "register-node", registration: { ...registration, instanceId }, issues: [] };
    }
    case "health":
      return healthOf(world, node, draw(["ready", "ready", "degraded", "down"]));
    case "drain":
      return { kind: "drain-node", node, reason: "kernel" };
    case "undrain":
      return { kind: "undrain-node", node };
    case "disable":
      return { kind: "disable-node", node, reason: "broken" };
    case "enable":
      return { kind: "enable-node", node };
  }
}

function healthOf(world: StateWorld, node: (typeof NODES)[number], health: "ready" | "degraded" | "down"): CommandBody {
  const isolatedUntil = millis(world.now + 10_000);
  return { kind: "set-node-health", node, health, reason: health, issues: [], isolatedUntil };
}
