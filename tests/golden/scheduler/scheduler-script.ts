/**
 * The small language of the scheduler's golden files: lines that describe a cluster and
 * its queue, `plan`, `promises` and `explain`. `place` plans and lets what was placed run.
 */
import { logIndex, type Millis, millis } from "../../../src/base/brand.ts";
import { allocationId, nodeId, tenantId, userId, vclusterId } from "../../../src/core/domain/ids.ts";
import { isNodeState } from "../../../src/core/domain/lifecycle.ts";
import type { NodeReservation } from "../../../src/core/domain/nodes/node-reservation.ts";
import type { Reason } from "../../../src/core/domain/reason.ts";
import type { Claim } from "../../../src/core/domain/resources.ts";
import { claimOn, TOPOLOGY_HINTS } from "../../../src/core/domain/resources.ts";
import type { TenantQuota, VCluster } from "../../../src/core/domain/tenant.ts";
import { DEFAULT_TENANT, DEFAULT_VCLUSTER, SCHEDULER_TYPES } from "../../../src/core/domain/tenant.ts";
import type { Decision, PendingView, RunningView } from "../../../src/core/domain/view.ts";
import { explain, plan } from "../../../src/core/scheduler/plan.ts";
import type { Policy } from "../../../src/core/scheduler/policy.ts";
import { BACKFILL_ORDERS, BACKFILLS, EASY_POLICY, ORDERS } from "../../../src/core/scheduler/policy.ts";
import { rankedQueue } from "../../../src/core/scheduler/queue.ts";
import { WEIGHT_PROFILE_NAMES, WEIGHT_PROFILES } from "../../../src/core/scheduler/score/weight-profiles.ts";
import { compressNodeList, expandNodeList } from "../../../src/core/slurm/node-list.ts";
import type { NodeFields } from "../../fixtures/builders.ts";
import { aCapacity, aPending, aRequest, aRunning, aVCluster, aView, GIBIBYTE } from "../../fixtures/builders.ts";

interface Cluster {
  readonly nodes: Map<string, NodeFields>;
  readonly pending: Map<string, PendingView>;
  readonly running: RunningView[];
  readonly tenants: Map<string, TenantQuota>;
  readonly vclusters: Map<string, VCluster>;
  readonly reservations: NodeReservation[];
  submitted: number;
}

interface Line {
  readonly words: readonly string[];
  readonly options: ReadonlyMap<string, string>;
}

type Obey = (cluster: Cluster, line: Line) => readonly string[];

/** Returns an evaluator with a cluster of its own; it prints what its lines print. */
export function startCluster(): (lines: readonly string[]) => string {
  const cluster: Cluster = {
    nodes: new Map(),
    pending: new Map(),
    running: [],
    tenants: new Map(),
    vclusters: new Map([[DEFAULT_VCLUSTER, aVCluster(DEFAULT_VCLUSTER)]]),
    reservations: [],
    submitted: 0,
  };
  return (lines) => lines.flatMap((line) => obey(cluster, line)).join("\n");
}

function obey(cluster: Cluster, text: string): readonly string[] {
  const [command = "", ...rest] = text.trim().split(/\s+/);
  const run = COMMANDS[command];
  if (!run) throw new Error(`no command ${command}: ${text}`);
  const pairs = rest.filter((word) => word.includes("=")).map((word) => word.split(/=(.*)/));
  const options = new Map(pairs.map(([key = "", value = ""]) => [key, value]));
  return run(cluster, { words: rest.filter((word) => !word.includes("=")), options });
}

const COMMANDS: Readonly<Record<string, Obey>> = {
  nodes: setNodes,
  tenant: (cluster, { words: [name = ""], options }) => {
    const fairShareTarget = number(options, "target", 0);
    cluster.tenants.set(name, { nodesMax: number(options, "max", 1_000), fairShareTarget });
    return [];
  },
  vcluster: (cluster, { words: [name = "", ...flags], options }) => {
    const id = vclusterId(name);
    const dedicatedNodes = expand(options.get("dedicated") ?? "").map(nodeId);
    const schedulerType = choice(SCHEDULER_TYPES, options.get("type"), "hpc_backfill");
    const loans = {
      ...capsOf(options),
      allowsLending: options.has("lends"),
      allowsBorrowing: flags.includes("borrows") || options.has("borrows"),
      ...(options.has("lends") && { lendPart: number(options, "lends", 0) }),
      ...(options.has("borrows") && { borrowNodesMax: number(options, "borrows", 0) }),
    };
    const weights = WEIGHT_PROFILES[choice(WEIGHT_PROFILE_NAMES, options.get("weights"), "hpc-batch")];
    cluster.vclusters.set(
      name,
      aVCluster(id, { sharesNodes: flags.includes("shares"), ...loans, dedicatedNodes, weights, schedulerType }),
    );
    return [];
  },
  reserve: (cluster, { words: [name = ""], options }) => {
    const tenant = options.get("for");
    cluster.reservations.push({
      ...{ name, version: logIndex(1), users: [], reason: options.get("reason") ?? "", createdBy: userId("root") },
      from: millis(number(options, "from", 0) * 60_000),
      until: millis(number(options, "until", 0) * 60_000),
      nodes: expand(options.get("nodes") ?? "").map(nodeId),
      features: list(options.get("features")),
      ...(tenant !== undefined && { tenant: tenantId(tenant) }),
    });
    return [];
  },
  unreserve: (cluster) => {
    cluster.reservations.length = 0;
    return [];
  },
  submit,
  run: runOn,
  end: (cluster, { words: [name] }) => {
    const at = cluster.running.findIndex((running) => running.id === name);
    cluster.running.splice(at, 1);
    return [];
  },
  clear: (cluster) => {
    cluster.pending.clear();
    return [];
  },
  plan: (cluster, line) => showPlan(cluster, line),
  place: (cluster, line) => {
    const shown = showPlan(cluster, line);
    const now = millis(number(line.options, "now", 0));
    for (const decision of planOf(cluster, line).decisions) start(cluster, decision, now);
    return shown;
  },
  promises: showPromises,
  explain: showExplanation,
};

function setNodes(cluster: Cluster, { words: [names = "", ...flags], options }: Line): readonly string[] {
  const state = options.get("state") ?? "ready";
  if (!isNodeState(state)) throw new Error(`no node state ${state}`);
  const capacity = aCapacity({
    cpus: number(options, "cpus", 64),
    memoryBytes: number(options, "memory", 256) * GIBIBYTE,
    gpuMilli: number(options, "gpus", 0) * 1_000,
    gpuType: options.get("type") ?? "",
    features: list(options.get("features")),
    group: number(options, "group", 0),
    ...(options.has("make") && { conformance: options.get("make") ?? "" }),
    ...(flags.includes("unified") && { hasUnifiedMemory: true }),
    ...(options.has("watts") && { powerWatts: number(options, "watts", 0) }),
    ...(options.has("cxl") && { cxlMemoryBytes: number(options, "cxl", 0) * GIBIBYTE }),
  });
  for (const name of expand(names)) {
    cluster.nodes.set(name, { id: nodeId(name), capacity, state, isDisabled: flags.includes("disabled") });
  }
  return [];
}

function submit(cluster: Cluster, line: Line): readonly string[] {
  const [name = ""] = line.words;
  cluster.pending.set(name, pendingFrom(++cluster.submitted, name, line));
  return [];
}

function pendingFrom(n: number, name: string, { words, options }: Line): PendingView {
  const [nodesMin = 1, nodesMax = nodesMin] = (options.get("nodes") ?? "1").split("-").map(Number);
  const request = aRequest({
    nodesMin,
    nodesMax,
    perNode: {
      cpus: number(options, "cpus", 0),
      memoryBytes: number(options, "memory", 0) * GIBIBYTE,
      gpuMilli: number(options, "gpus", 0) * 1_000,
    },
    isExclusive: words.includes("exclusive"),
    gpuType: options.get("type") ?? "",
    features: list(options.get("features")),
    featureCounts: Object.fromEntries(list(options.get("with")).map((pair) => countOf(pair))),
    topology: choice(TOPOLOGY_HINTS, options.get("topology"), "any"),
    ...(words.includes("one-make") && { needsConformance: true }),
    ...(words.includes("unified") && { needsUnifiedMemory: true }),
    ...(words.includes("cxl") && { allowsCxlMemory: true }),
    ...(options.has("storage") && { storageMbps: number(options, "storage", 0) }),
  });
  const notBefore = options.get("not-before");
  const waited = number(options, "waited", 0);
  return aPending(n, name, {
    request,
    tenant: tenantId(options.get("tenant") ?? DEFAULT_TENANT),
    vcluster: vclusterId(options.get("vcluster") ?? DEFAULT_VCLUSTER),
    preemptionClass: number(options, "class", 5),
    isSensitive: words.includes("sensitive"),
    ...(waited > 0 && { submittedAt: millis(-waited * 3_600_000) }),
    walltimeMs: millis(number(options, "minutes", 60) * 60_000),
    ...(notBefore === undefined ? {} : { notBefore: millis(Number(notBefore)) }),
    ...(options.has("deadline") && { deadline: millis(number(options, "deadline", 0)) }),
  });
}

function countOf(pair: string): readonly [string, number] {
  const [feature = "", count] = pair.split(":");
  return [feature, Number(count)];
}

/** Lets an allocation hold the nodes of `on`, as an earlier pass would have placed it. */
function runOn(cluster: Cluster, line: Line): readonly string[] {
  const [name = ""] = line.words;
  const pending = pendingFrom(0, name, line);
  const isShared = !pending.isSensitive && cluster.vclusters.get(pending.vcluster)?.sharesNodes === true;
  const claims = expand(line.options.get("on") ?? "").map((node) => {
    const capacity = cluster.nodes.get(node)?.capacity;
    if (!capacity) throw new Error(`no node ${node}`);
    return claimOn(pending.request, { id: nodeId(node), capacity }, isShared);
  });
  const { tenant, vcluster, walltimeMs } = pending;
  cluster.running.push(aRunning(name, claims, { tenant, vcluster, walltimeMs }));
  return [];
}

function start(cluster: Cluster, decision: Decision, startedAt: Millis): void {
  const pending = cluster.pending.get(decision.allocation);
  if (!pending) throw new Error(`${decision.allocation} is not in the queue`);
  cluster.pending.delete(decision.allocation);
  const { tenant, vcluster, walltimeMs } = pending;
  cluster.running.push(aRunning(decision.allocation, decision.claims, { tenant, vcluster, walltimeMs, startedAt }));
}

const viewOf = (cluster: Cluster) =>
  aView({
    nodes: [...cluster.nodes.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    pending: [...cluster.pending.values()],
    running: cluster.running,
    tenants: [...cluster.tenants].map(([id, quota]) => ({ id: tenantId(id), quota })),
    vclusters: [...cluster.vclusters.values()],
    reservations: cluster.reservations,
  });

const policyOf = ({ options }: Line): Policy => ({
  ...EASY_POLICY,
  depth: number(options, "depth", 1_000),
  order: choice(ORDERS, options.get("order"), "fcfs"),
  backfill: choice(BACKFILLS, options.get("backfill"), "easy"),
  reservations: number(options, "promises", 1),
  ...capsOf(options),
  backfillOrder: choice(BACKFILL_ORDERS, options.get("overtakes"), "rank"),
});

function capsOf(options: ReadonlyMap<string, string>): Pick<VCluster, "caps"> {
  const powerWatts = options.get("power-cap");
  const storageMbps = options.get("storage-cap");
  if (powerWatts === undefined && storageMbps === undefined) return {};
  return {
    caps: {
      ...(powerWatts !== undefined && { powerWatts: Number(powerWatts) }),
      ...(storageMbps !== undefined && { storageMbps: Number(storageMbps) }),
    },
  };
}

function choice<T extends string>(all: readonly T[], text: string | undefined, otherwise: T): T {
  if (text === undefined) return otherwise;
  const found = all.find((one) => one === text);
  if (!found) throw new Error(`${text} is none of ${all.join(", ")}`);
  return found;
}

const planOf = (cluster: Cluster, line: Line) =>
  plan(viewOf(cluster), policyOf(line), millis(number(line.options, "now", 0)));

function showPlan(cluster: Cluster, line: Line): readonly string[] {
  const { decisions, reasons } = planOf(cluster, line);
  const placed = new Map(decisions.map((decision) => [decision.allocation, decision.claims]));
  const now = millis(number(line.options, "now", 0));
  return [...rankedQueue(viewOf(cluster), policyOf(line), now)].flatMap(({ id }) => {
    const claims = placed.get(id);
    if (claims) return [`${id}  placed  ${showClaims(claims)}`];
    const why = reasons.get(id);
    return why ? showReasons(id, why) : [`${id}  not looked at`];
  });
}

function showPromises(cluster: Cluster, line: Line): readonly string[] {
  const { reservations } = planOf(cluster, line);
  if (reservations.length === 0) return ["no promises"];
  return reservations.map(({ allocation, startsBy }) => `${allocation}  starts by ${new Date(startsBy).toISOString()}`);
}

function showClaims(claims: readonly Claim[]): string {
  const names = compressNodeList(claims.map((claim) => claim.nodeId));
  const [first] = claims;
  if (!first || first.isExclusive) return `${names}  whole`;
  const { cpus, memoryBytes, gpuMilli } = first;
  const gpus = gpuMilli > 0 ? ` gpus=${gpuMilli / 1_000}` : "";
  return `${names}  cpus=${cpus} memory=${memoryBytes / GIBIBYTE}${gpus}`;
}

const showReasons = (id: string, reasons: readonly Reason[]): readonly string[] =>
  reasons.flatMap(({ code, message, change }) => [
    `${id}  waits   ${code}  ${message}`,
    ...(change === undefined ? [] : [`${id}          ${change}`]),
  ]);

function showExplanation(cluster: Cluster, line: Line): readonly string[] {
  const [name = ""] = line.words;
  const now = millis(number(line.options, "now", 0));
  const why = explain(viewOf(cluster), policyOf(line), { now, allocation: allocationId(name) });
  if (!why) return [`${name}  is not in the queue`];
  const start = why.startsBy === undefined ? "" : `, starts by ${new Date(why.startsBy).toISOString()}`;
  return [`${name}  number ${why.position}${start}`, ...showReasons(name, why.reasons)];
}

const number = (options: ReadonlyMap<string, string>, key: string, otherwise: number): number =>
  Number(options.get(key) ?? otherwise);

const list = (text: string | undefined): readonly string[] => (text ? text.split(",") : []);

function expand(text: string): readonly string[] {
  if (text === "") return [];
  const names = expandNodeList(text);
  if (!names.ok) throw new Error(names.error.message);
  return names.value;
}
