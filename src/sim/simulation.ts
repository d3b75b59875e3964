/**
 * One run: a cluster begins, works while things go wrong, is left in peace and must come to
 * rest; then everything that its clients saw and what is on its disks must fit together.
 * A seed gives the same run each time, which its hash shows.
 */
import { InvariantError } from "../base/assert.ts";
import { checkAcknowledged } from "./checkers/acknowledged.ts";
import { findUnrest } from "./checkers/convergence.ts";
import type { Finding } from "./checkers/findings.ts";
import type { Operation } from "./checkers/linearizability.ts";
import { findUnorderable } from "./checkers/linearizability.ts";
import { ALLOCATION, REGISTER } from "./clients/models.ts";
import { Cluster } from "./cluster.ts";
import type { Faults } from "./faults.ts";
import { drawFaults, NO_FAULTS } from "./faults.ts";
import { Nemesis } from "./nemesis.ts";
import type { DrawnPlot } from "./plots/plots.ts";
import { drawPlot, startPlot } from "./plots/plots.ts";
import { happens, wholeWithin } from "./world/chance.ts";
import { World } from "./world/world.ts";

/** What is run. */
export interface SimulationOptions {
  readonly seed: number;
  /** Drawn from the seed when absent: 3, sometimes 5. */
  readonly members?: number;
  /** How long things go wrong, in virtual minutes. */
  readonly minutes?: number;
  /** Runs every promise reaction that is due: the host's. */
  readonly settle: () => void;
  readonly onLine?: (line: string) => void;
}

/** What came of it. */
export interface SimulationResult {
  readonly seed: number;
  /** The first property that did not hold. */
  readonly finding: Finding | undefined;
  /** Over everything that happened, in order. */
  readonly hash: string;
  readonly events: number;
  readonly virtualMs: number;
  readonly operations: number;
  readonly unanswered: number;
  readonly entries: number;
  readonly elections: number;
  /** How often each thing happened, by its name in the trace. */
  readonly counts: ReadonlyMap<string, number>;
}

const MINUTE_MS = 60_000;
const DEFAULT_MINUTES = 0.4;
/** A cluster whose servers stay up is set up in this time. */
const SET_UP_MS = 60_000;
/** Faults are over: everything comes to rest in this time, also hundreds of jobs on two nodes. */
const REST_MS = 300_000;
const STEP_MS = 250;
const FLUSH_MS = 1_000;
const NODES = 3;
const CLIENTS = 3;
/** Nodes that the small tenant may hold. */
const SMALL_QUOTA = 2;

/** Runs one seed. */
export function simulate(options: SimulationOptions): SimulationResult {
  const { seed, settle, onLine, minutes = DEFAULT_MINUTES } = options;
  const world = new World({ seed, settle, ...(onLine && { onLine }) });
  const random = world.random("run");
  const members = options.members ?? (random() < 0.8 ? 3 : 5);
  const drawn = drawPlot(world.random("plot"));
  const faults = faultsOf(drawFaults(world.random("faults")), drawn);
  const cluster = new Cluster(world, faults, {
    members,
    nodes: wholeWithin(random, [2, NODES]),
    clients: CLIENTS,
    isEager: drawn?.plot.isEager === true,
    ...(drawn?.plot.server && { server: drawn.plot.server }),
    ...(drawn?.plot.driver && { driver: drawn.plot.driver }),
  });
  try {
    run(cluster, minutes * MINUTE_MS, drawn);
  } catch (error) {
    if (!(error instanceof InvariantError)) throw error;
    cluster.findings.add("no broken invariant", error.message);
  }
  const operations = [...cluster.histories.registers.operations, ...cluster.histories.allocations.operations];
  return {
    seed,
    finding: cluster.findings.first,
    hash: world.trace.hash,
    events: world.eventCount,
    virtualMs: Math.round(world.now),
    operations: operations.length,
    unanswered: operations.filter((o) => o.answer === undefined).length,
    entries: cluster.observer.committed.last,
    elections: cluster.observer.elections.termCount,
    counts: world.trace.counts,
  };
}

function faultsOf(drawnFaults: Faults, drawn: DrawnPlot | undefined): Faults {
  const { isCalm = false, plot } = drawn ?? {};
  const { network, ...rest } = isCalm ? NO_FAULTS : drawnFaults;
  return { ...rest, network: plot?.delayMs === undefined ? network : { ...network, delayMs: plot.delayMs } };
}

function run(cluster: Cluster, chaosMs: number, drawn: DrawnPlot | undefined): void {
  const { world, findings } = cluster;
  const isFound = (): boolean => findings.first !== undefined;
  const nemesis = new Nemesis(cluster);
  // Some clusters begin on a network that is bad from the start.
  if (happens(world.random("begin"), 0.3)) cluster.network.faults = cluster.faults.network;
  begin(cluster, nemesis);
  if (!reach(cluster, SET_UP_MS, () => findUnrest(cluster))) return;
  cluster.setFaults(cluster.faults);
  for (const client of [...cluster.clients, cluster.claimer]) client.start();
  nemesis.start();
  const stage = drawn && startPlot(cluster, drawn.plot);
  world.runUntil(world.now + chaosMs, isFound);
  if (isFound()) return;
  world.log("-", "peace");
  stage?.end();
  nemesis.stop();
  cluster.setFaults(NO_FAULTS);
  for (const client of [...cluster.clients, cluster.claimer]) client.stop();
  if (!reach(cluster, REST_MS, () => findUnrest(cluster))) return;
  void cluster.clients[0]?.lookAtAll();
  if (!reach(cluster, REST_MS, () => findUnrest(cluster))) return;
  checkEnd(cluster);
}

function begin(cluster: Cluster, nemesis: Nemesis): void {
  const { servers, nodes, operator, work } = cluster;
  servers[0]?.bootstrap(
    "sim-cluster",
    servers.map(({ id }) => id),
  );
  for (const server of servers) server.start();
  for (const node of nodes) node.start();
  nemesis.keep();
  operator.setUp(work.smallTenant, SMALL_QUOTA);
}

/** Lets time pass until nothing is missing; what is missing in the end is a finding. */
function reach(cluster: Cluster, withinMs: number, findMissing: () => string | undefined): boolean {
  const { world, findings } = cluster;
  const end = world.now + withinMs;
  while (world.now < end) {
    world.runUntil(world.now + STEP_MS, () => findings.first !== undefined);
    if (findings.first !== undefined) return false;
    if (findMissing() === undefined) return true;
  }
  findings.add("liveness", findMissing() ?? "it came to rest too late");
  return false;
}

function checkEnd(cluster: Cluster): void {
  const { findings, histories, servers, work, world } = cluster;
  const { registers, allocations } = histories;
  reportUnorderable(cluster, findUnorderable(REGISTER, registers.operations), registers.operations);
  reportUnorderable(cluster, findUnorderable(ALLOCATION, allocations.operations), allocations.operations);
  for (const { running } of servers) void running?.replica.flush();
  world.runUntil(world.now + FLUSH_MS);
  for (const { name, disk } of servers) {
    checkAcknowledged(findings, work.submissions, { server: name, rows: disk.rows.values() });
  }
}

/** Shows the operations on a key that no order explains. */
function reportUnorderable<I, O>(
  { world, findings }: Cluster,
  keys: readonly string[],
  all: readonly Operation<I, O>[],
) {
  for (const key of keys) {
    for (const { client, input, calledAt, answer } of all.filter((o) => o.key === key)) {
      const end = answer ? `${answer.returnedAt.toFixed(0)} ${JSON.stringify(answer.output)}` : "unanswered";
      world.log(client, "history", `${key} ${JSON.stringify(input)} ${calledAt.toFixed(0)} to ${end}`);
    }
    findings.add("linearizability", `no order explains what clients saw of ${key}`);
  }
}
