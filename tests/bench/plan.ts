/**
 * `bun run bench:plan [--rounds=N]`: how long a scheduling pass takes on the state of a
 * cluster, and what is decided after one event between two cycles, with mixed hardware, three vClusters and fifty tenants, and how that grows with
 * nodes and with the queue. Prints figures and targets; never fails by the clock.
 */
import { logIndex, millis } from "../../src/base/brand.ts";
import { createPrng } from "../../src/base/prng.ts";
import type { AllocationId, NodeId } from "../../src/core/domain/ids.ts";
import { allocationId, nodeId, tenantId, userId, vclusterId } from "../../src/core/domain/ids.ts";
import { DEFAULT_WEIGHTS } from "../../src/core/domain/tenant.ts";
import { decide, decideHead, plan } from "../../src/core/scheduler/plan.ts";
import type { Policy } from "../../src/core/scheduler/policy.ts";
import { DEFAULT_POLICY } from "../../src/core/scheduler/policy.ts";
import type { Ranking } from "../../src/core/scheduler/score/ranking.ts";
import { amongBlockers, headNow, rankQueue } from "../../src/core/scheduler/score/ranking.ts";
import { WEIGHT_PROFILES } from "../../src/core/scheduler/score/weight-profiles.ts";
import { apply } from "../../src/core/state/apply.ts";
import type { CommandBody, NodeReport } from "../../src/core/state/commands.ts";
import type { State } from "../../src/core/state/state.ts";
import { emptyState } from "../../src/core/state/state.ts";
import { queueOf, viewOf } from "../../src/core/state/view.ts";
import { Rankings } from "../../src/engine/server/scheduling/rankings.ts";
import { systemClock } from "../../src/io/system-clock.ts";
import { aRegistration, aRequest, aSpec } from "../fixtures/builders.ts";
import type { Figure } from "./figure.ts";
import { median, printFigures, printMachine, spread } from "./figure.ts";

const MINUTE = 60_000;
const TENANTS = Array.from({ length: 50 }, (_, i) => tenantId(`t${i}`));
const VCLUSTERS = ["batch", "training", "shared"].map(vclusterId);
const POLICY: Policy = { ...DEFAULT_POLICY, depth: 1_000_000 };

/** A cluster of which seven tenths work, with a queue behind it. */
class World {
  readonly state: State = emptyState();
  readonly #prng = createPrng(1);
  #index = 0;
  #submitted = 0;
  now = millis(0);

  constructor(nodes: number, pending: number) {
    this.propose({ kind: "initialize-cluster", clusterId: "bench" });
    this.#createTenants();
    const ids = Array.from({ length: nodes }, (_, i) => this.#addNode(i));
    this.#fill(ids.slice(0, Math.floor(nodes * 0.7)));
    for (let i = 0; i < pending; i++) this.submit();
  }

  propose(body: CommandBody): void {
    this.#index++;
    const by = userId(`u${this.#pick(500)}`);
    const { outcome } = apply(this.state, logIndex(this.#index), { ...body, at: this.now, by });
    if (!outcome.ok) throw new Error(outcome.error.message);
  }

  /** Submits one allocation of a random kind. */
  submit(): void {
    const n = this.#submitted++;
    this.now = millis(n * 10);
    const vcluster = VCLUSTERS[this.#pick(VCLUSTERS.length)] ?? vclusterId("batch");
    const isShare = vcluster === "shared";
    const gpus = this.#pick(3) === 0;
    const resources = aRequest({
      nodesMin: isShare ? 1 : 2 ** this.#pick(8),
      perNode: isShare ? { cpus: 1 + this.#pick(16), memoryBytes: 0, gpuMilli: gpus ? 1_000 : 0 } : aRequest().perNode,
      gpuType: gpus ? (["a100", "h100"][this.#pick(2)] ?? "") : "",
      features: this.#pick(4) === 0 ? ["ib"] : [],
    });
    const walltimeMs = millis((10 + this.#pick(1_400)) * MINUTE);
    const spec = aSpec({ tenant: TENANTS[this.#pick(50)] ?? tenantId("t0"), vcluster, resources, walltimeMs });
    this.propose({ kind: "submit-allocation", allocation: { id: allocationId(`job-${n}`), spec, dependencies: [] } });
  }

  #createTenants(): void {
    for (const tenant of TENANTS) {
      const quota = { nodesMax: 100_000, fairShareTarget: 0.02 };
      this.propose({ kind: "create-tenant", tenant, name: tenant, quota, isolation: "standard" });
    }
    const common = { schedulerType: "hpc_backfill", allowsBorrowing: true, allowsLending: true } as const;
    for (const vcluster of VCLUSTERS) {
      const weights = vcluster === "training" ? WEIGHT_PROFILES["ml-training"] : DEFAULT_WEIGHTS;
      const own = { vcluster, name: vcluster, tenant: TENANTS[0] ?? tenantId("t0"), dedicatedNodes: [] };
      this.propose({ kind: "create-vcluster", ...own, ...common, weights, sharesNodes: vcluster === "shared" });
    }
  }

  #addNode(i: number): NodeId {
    const name = `n${String(i).padStart(6, "0")}`;
    const kind = i % 8;
    const gpuType = kind === 0 ? "h100" : kind === 1 ? "a100" : "";
    const capacity = {
      cpus: kind < 2 ? 96 : 64,
      gpuMilli: gpuType === "" ? 0 : 8_000,
      gpuType,
      features: kind % 2 === 0 ? ["ib"] : [],
      group: Math.floor(i / 64),
    };
    this.propose({ kind: "register-node", registration: aRegistration(name, capacity), issues: [] });
    const health = { health: "ready", reason: "", issues: [], isolatedUntil: millis(0) } as const;
    this.propose({ kind: "set-node-health", node: nodeId(name), ...health });
    return nodeId(name);
  }

  /** Lets jobs of four nodes run on all of these. */
  #fill(ids: readonly NodeId[]): void {
    for (let at = 0; at + 4 <= ids.length; at += 4) {
      const id = allocationId(`running-${at}`);
      const walltimeMs = millis((10 + this.#pick(1_400)) * MINUTE);
      const spec = aSpec({
        tenant: TENANTS[this.#pick(50)] ?? tenantId("t0"),
        resources: aRequest({ nodesMin: 4 }),
        walltimeMs,
      });
      this.propose({ kind: "submit-allocation", allocation: { id, spec, dependencies: [] } });
      const version = this.state.tables.allocations.get(id)?.version ?? logIndex(0);
      const claims = ids.slice(at, at + 4).map((node) => {
        const { cpus = 0, memoryBytes = 0, gpuMilli = 0 } = this.state.tables.nodes.get(node)?.capacity ?? {};
        return { nodeId: node, cpus, memoryBytes, gpuMilli, isExclusive: true };
      });
      this.propose({ kind: "assign-nodes", placements: [{ allocation: id, version, claims }] });
      const reports = claims.map(({ nodeId: node }): NodeReport => {
        return { node, report: { allocation: id, attempt: 1, phase: "running" } };
      });
      this.propose({ kind: "record-node-reports", reports });
    }
  }

  #pick(below: number): number {
    return Math.floor(this.#prng() * below);
  }
}

/** Returns the milliseconds that each round takes, after two that do not count. */
function timed(rounds: number, run: () => void): readonly number[] {
  const times: number[] = [];
  for (let i = -2; i < rounds; i++) {
    const began = performance.now();
    run();
    if (i >= 0) times.push(performance.now() - began);
  }
  return times;
}

const figureOf = (name: string, times: readonly number[], atMost?: number): Figure => ({
  name,
  value: median(times),
  unit: "ms",
  note: spread(times),
  ...(atMost !== undefined && { target: { atMost } }),
});

function passFigures(
  nodes: number,
  pending: number,
  { rounds, atMost }: { rounds: number; atMost?: number },
): readonly Figure[] {
  const world = new World(nodes, pending);
  const size = `${nodes} nodes, ${pending} waiting`;
  const now = world.now;
  const full = timed(rounds, () => plan(viewOf(world.state), POLICY, now));
  const figures = [figureOf(`plan, all reasons: ${size}`, full, atMost)];
  const placements = timed(rounds, () => decide(viewOf(world.state), POLICY, now));
  figures.push(figureOf(`placements alone: ${size}`, placements));
  const usual = timed(rounds, () => plan(viewOf(world.state), DEFAULT_POLICY, now));
  figures.push(figureOf(`plan, depth ${DEFAULT_POLICY.depth}: ${size}`, usual));
  figures.push({ name: `memory: ${size}`, value: process.memoryUsage().rss / 1024 ** 2, unit: "MiB" });
  return figures;
}

/** The cluster as a cycle has left it: what could start has, some of it is promised the idle nodes. */
class Steady {
  readonly world: World;
  #ranking: Ranking;
  #left: { readonly blockers: readonly AllocationId[]; readonly arrivals: number } | undefined;
  #ended = 0;

  constructor(nodes: number, pending: number) {
    this.world = new World(nodes, pending);
    this.#ranking = rankQueue(this.sources(), DEFAULT_POLICY, this.world.now);
    this.decide("end");
    this.#ranking = rankQueue(this.sources(), DEFAULT_POLICY, this.world.now);
  }

  sources = () => ({ view: viewOf(this.world.state), queue: queueOf(this.world.state) });

  /** Decides as the server does after such an event, and has it applied; returns the milliseconds of processor time. */
  decide(cause: "arrival" | "end"): number {
    const before = process.cpuUsage();
    const sources = this.sources();
    const head = headNow(sources, DEFAULT_POLICY, this.#ranking) ?? [];
    const left = cause === "arrival" ? this.#left : undefined;
    const tried = left ? amongBlockers(head, left.blockers, sources.queue.arrivedAfter(left.arrivals)) : head;
    const context = { now: this.world.now, head: tried };
    const { decisions, reservations, blockers } = decideHead(sources.view, DEFAULT_POLICY, context);
    const promised = reservations.map(({ allocation }) => allocation);
    this.#left = { blockers: [...promised, ...blockers], arrivals: sources.queue.arrivals };
    const { user, system } = process.cpuUsage(before);
    const tookMs = (user + system) / 1_000;
    const placements = decisions.map(({ allocation, version, claims }) => ({ allocation, version, claims }));
    if (placements.length > 0) this.world.propose({ kind: "assign-nodes", placements });
    return tookMs;
  }

  /** Ends one of the jobs of four nodes. */
  end(): void {
    const id = allocationId(`running-${4 * this.#ended++}`);
    const { parts = [], attempt = 1 } = this.world.state.tables.allocations.get(id) ?? {};
    const report = { allocation: id, attempt, phase: "ended", cause: "exited", exitCode: 0 } as const;
    const reports = parts.map(({ claim }): NodeReport => ({ node: claim.nodeId, report }));
    this.world.propose({ kind: "record-node-reports", reports });
  }
}

/** From one event to the decision that follows it, between two cycles. */
async function eventFigures(nodes: number, pending: number, rounds: number): Promise<readonly Figure[]> {
  const steady = new Steady(nodes, pending);
  const { world } = steady;
  const size = `${nodes} nodes, ${pending} waiting`;
  const target = pending >= 100_000 ? 20 : undefined;
  const timesOf = (cause: "arrival" | "end", happen: () => void): readonly number[] => {
    const times: number[] = [];
    for (let i = -2; i < 4 * rounds; i++) {
      happen();
      const tookMs = steady.decide(cause);
      if (i >= 0) times.push(tookMs);
    }
    return times;
  };
  const ends = timesOf("end", () => steady.end());
  const submissions = timesOf("arrival", () => world.submit());
  const memory = process.memoryUsage();
  return [
    figureOf(`one end to decision, processor time: ${size}`, ends, target),
    figureOf(`one submission to decision, processor time: ${size}`, submissions, target),
    figureOf(`longest stall of the loop in a cycle: ${size}`, await stalls(world, rounds), 50),
    { name: `heap in use: ${size}`, value: memory.heapUsed / 1024 ** 2, unit: "MiB" },
  ];
}

/** Returns the longest time that nothing else could run in each cycle: the queue ranked in slices, then one pass over its head. */
async function stalls(world: World, rounds: number): Promise<readonly number[]> {
  const settings = { policy: DEFAULT_POLICY, cycleIntervalMs: 5_000 };
  const rankings = new Rankings({ replica: world, clock: systemClock, settings });
  const longest: number[] = [];
  for (let i = 0; i < rounds; i++) {
    let last = performance.now();
    let worst = 0;
    const look = (): void => {
      const now = performance.now();
      worst = Math.max(worst, now - last);
      last = now;
    };
    const watch = setInterval(look, 1);
    await rankings.renew();
    look();
    decideHead(rankings.sources().view, DEFAULT_POLICY, { now: world.now, head: rankings.head() ?? [] });
    look();
    clearInterval(watch);
    longest.push(worst);
  }
  return longest;
}

async function main(argv: readonly string[]): Promise<number> {
  const [first] = argv;
  if (argv.length > 1 || (first !== undefined && !/^--rounds=[1-9]\d*$/.test(first))) {
    console.error("Usage: bun run bench:plan [--rounds=N]");
    return 2;
  }
  const rounds = Number(first?.split("=")[1] ?? 5);
  printMachine();
  printFigures(passFigures(1_000, 10_000, { rounds, atMost: 50 }));
  printFigures(await eventFigures(1_000, 10_000, rounds));
  printFigures(passFigures(10_000, 100_000, { rounds, atMost: 1_000 }));
  printFigures(await eventFigures(10_000, 100_000, rounds));
  console.log("\nGrowth with nodes (10,000 waiting) and with the queue (1,000 nodes), full plan:");
  const growth: Figure[] = [];
  for (const nodes of [1_000, 2_000, 4_000, 8_000]) growth.push(...passFigures(nodes, 10_000, { rounds }).slice(0, 1));
  for (const pending of [10_000, 20_000, 40_000]) growth.push(...passFigures(1_000, pending, { rounds }).slice(0, 1));
  printFigures(growth);
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
