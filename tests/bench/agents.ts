/**
 * `bun run bench:agents [--agents=N] [--waiting=N] [--seconds=N]`: one built server, to which
 * so many simulated agents send heartbeats while so much work waits and is submitted. Prints
 * the longest stall of its main loop, as it tells it itself, and how long heartbeats wait for
 * their replies. The agents are in a few processes beside it (`agents/crowd.ts`) and speak
 * the real protocol, each over a connection of its own. Never fails by the clock.
 */
import { buildBinaries } from "../../scripts/build.ts";
import { DOOR_LIMITS } from "../../src/io/http/door.ts";
import { Cluster, until } from "../e2e/cluster.ts";
import type { Beats, CrowdOrders } from "./agents/crowd.ts";
import type { Figure } from "./figure.ts";
import { percentile, printFigures, printMachine } from "./figure.ts";
import { sendOverHttp } from "./http-load.ts";

const CROWDS = 2;
/** A server takes no more than 4,000 connections of one address, and all agents are on loopback. */
const AGENTS = DOOR_LIMITS.connectionsOfOneAddressMax - 100;
const STALL_MAX_MS = 50;
const SUBMITTERS = 8;
const JSON_HEADERS = { "content-type": "application/json" };
/** How many nodes the submissions ask for, by turns. */
const WIDTHS = [64, 128, 256, 512];

interface Options {
  readonly agents: number;
  readonly waiting: number;
  readonly seconds: number;
}

async function measure(options: Options): Promise<readonly Figure[]> {
  const cluster = await Cluster.start();
  const crowds: Crowd[] = [];
  try {
    const figures: Figure[] = [];
    let lateBefore = 0;
    const stall = async (during: string): Promise<void> => {
      const value = 1_000 * (await readMetric(cluster, "lattice_loop_stall_max_seconds"));
      const looks = await readMetric(cluster, "lattice_loop_lag_seconds_count");
      const late = looks - (await readMetric(cluster, `lattice_loop_lag_seconds_bucket{le="${STALL_MAX_MS / 1_000}"}`));
      const note = `${late - lateBefore} times more than ${STALL_MAX_MS} ms meanwhile`;
      lateBefore = late;
      const name = `longest stall of the main loop so far: ${during}`;
      figures.push({ name, value, unit: "ms", target: { atMost: STALL_MAX_MS }, note });
    };
    await stall("the server started");
    const each = Math.ceil(options.agents / CROWDS);
    for (let i = 0; i < CROWDS; i++)
      crowds.push(new Crowd({ endpoint: cluster.grpcUrl, prefix: `c${i}-`, count: each }));
    await until("all nodes are ready", async () => (await readyNodes(cluster)) >= each * CROWDS, 240_000);
    await stall(`${each * CROWDS} agents came`);
    await fill(cluster, options.waiting);
    await stall(`${options.waiting} allocations were submitted`);
    for (const crowd of crowds) crowd.begin();
    const before = await readMetric(cluster, "process_cpu_seconds_total");
    await steady(cluster, options.seconds);
    const used = (await readMetric(cluster, "process_cpu_seconds_total")) - before;
    await stall(`${options.seconds} s of heartbeats, cycles and a submission each 100 ms`);
    figures.push(...beatFigures(await Promise.all(crowds.map((crowd) => crowd.end()))));
    figures.push({ name: "processor of the server", value: (100 * used) / options.seconds, unit: "%" });
    const rss = (await readMetric(cluster, "process_resident_memory_bytes")) / 1024 ** 2;
    figures.push({ name: "memory of the server", value: rss, unit: "MiB" });
    return figures;
  } finally {
    for (const crowd of crowds) crowd.kill();
    await cluster.stop();
  }
}

/** A process with many agents. */
class Crowd {
  readonly #process: Bun.Subprocess;
  #tell: (beats: Beats) => void = () => {};

  constructor(orders: CrowdOrders) {
    this.#process = Bun.spawn({
      cmd: [process.execPath, `${import.meta.dir}/agents/crowd.ts`, JSON.stringify(orders)],
      stdout: "inherit",
      stderr: "inherit",
      ipc: (beats: Beats) => this.#tell(beats),
    });
  }

  /** Forgets the replies so far. */
  begin(): void {
    this.#process.send("begin");
  }

  /** Returns the replies since then. */
  end(): Promise<Beats> {
    const told = new Promise<Beats>((resolve) => {
      this.#tell = resolve;
    });
    this.#process.send("end");
    return told;
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }
}

function beatFigures(all: readonly Beats[]): readonly Figure[] {
  const delays = all.flatMap(({ delaysMs }) => delaysMs);
  const lost = all.reduce((sum, beats) => sum + beats.lost, 0);
  const late = Math.max(...all.map(({ latestMs }) => latestMs));
  const note = `${delays.length} replies; the agents' own loops were up to ${Math.round(late)} ms late`;
  return [
    { name: "heartbeat to reply, p50", value: percentile(delays, 50), unit: "ms", note },
    { name: "heartbeat to reply, p99", value: percentile(delays, 99), unit: "ms" },
    { name: "heartbeat to reply, longest", value: percentile(delays, 100), unit: "ms" },
    { name: "streams lost", value: lost, unit: "", target: { atMost: 0 } },
  ];
}

/** Submits until so many wait: no agent ever ends what it is given, so the nodes stay taken. */
async function fill(cluster: Cluster, waiting: number): Promise<void> {
  const port = Number(new URL(cluster.url).port);
  for (const nodes of WIDTHS) {
    let left = waiting / WIDTHS.length;
    const load = { port, path: "/api/v1/allocations", headers: JSON_HEADERS, body: bodyOf(nodes) };
    await sendOverHttp(load, SUBMITTERS, () => --left < SUBMITTERS);
  }
}

const bodyOf = (nodes: number): string =>
  JSON.stringify({ tenant: "default", entrypoint: "true", nodes, walltime: "1h" });

/** One submission each 100 ms: what comes is decided at once. */
async function steady(cluster: Cluster, seconds: number): Promise<void> {
  const end = performance.now() + seconds * 1_000;
  for (let i = 0; performance.now() < end; i++) {
    await fetch(`${cluster.url}/api/v1/allocations`, {
      method: "POST",
      headers: JSON_HEADERS,
      body: bodyOf(WIDTHS[i % WIDTHS.length] ?? 64),
    });
    await Bun.sleep(100);
  }
}

/** Returns a figure that the server tells, by its name and labels. */
async function readMetric(cluster: Cluster, name: string): Promise<number> {
  const text = await (await fetch(`${cluster.url}/metrics`)).text();
  const line = text.split("\n").find((one) => one.startsWith(`${name} `));
  if (!line) throw new Error(`the server tells no ${name}`);
  return Number(line.slice(name.length));
}

const readyNodes = (cluster: Cluster): Promise<number> => readMetric(cluster, 'lattice_nodes{state="ready"}');

const USAGE = "Usage: bun run bench:agents [--agents=N] [--waiting=N] [--seconds=N]";

async function main(argv: readonly string[]): Promise<number> {
  const options = { agents: AGENTS, waiting: 10_000, seconds: 60 };
  for (const word of argv) {
    const [, key, value] = /^--(agents|waiting|seconds)=([1-9]\d*)$/.exec(word) ?? [];
    if (key !== "agents" && key !== "waiting" && key !== "seconds") {
      console.error(`${word}\n${USAGE}`);
      return 2;
    }
    options[key] = Number(value);
  }
  if (options.agents > AGENTS) {
    console.error(`a server takes no more than ${AGENTS} agents of one address\n${USAGE}`);
    return 2;
  }
  buildBinaries();
  printMachine();
  printFigures(await measure(options));
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
