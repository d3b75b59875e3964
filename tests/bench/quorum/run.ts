/**
 * `bun run bench:quorum [--etcd] [--seconds=N] [--kills=N] [--only=writes,reads,…]`: what
 * three servers do together on loopback: durable writes, reads, failover, a member that
 * catches up, a restart. With --etcd the same is measured of three members of etcd in the
 * same run, and the ratios are printed. Never fails by the clock.
 */
import { buildBinaries } from "../../../scripts/build.ts";
import type { Figure } from "../figure.ts";
import { median, percentile, printFigures, printMachine, spread } from "../figure.ts";
import { sendOverHttp } from "../http-load.ts";
import { missingForEtcd, startEtcd } from "./etcd.ts";
import { failoverMs } from "./failover.ts";
import type { LatticeQuorum } from "./lattice.ts";
import { startLattice } from "./lattice.ts";
import { loadReads, loadWrites } from "./load.ts";
import { catchUp, heartbeats, restart } from "./operations.ts";
import type { Rival } from "./rival.ts";

const CLIENTS = [1, 16, 64, 256];
/** After a kill the started member has caught up by then. */
const SETTLE_MS = 3_000;

interface Options {
  readonly seconds: number;
  readonly kills: number;
}

type Section = (rival: Rival, options: Options) => Promise<readonly Figure[]>;

const SHARED: Readonly<Record<string, Section>> = {
  async writes(rival, { seconds }) {
    const figures: Figure[] = [];
    for (const clients of CLIENTS) {
      const { perSecond, p50Ms, p99Ms } = await loadWrites(rival, clients, seconds);
      const name = `${rival.name}: durable writes, gRPC, ${clients} clients`;
      figures.push({ name, value: perSecond, unit: "/s", note: latencies(p50Ms, p99Ms) });
    }
    return figures;
  },
  async reads(rival, { seconds }) {
    const figures: Figure[] = [];
    for (const [kind, isStale] of [
      ["linearizable", false],
      ["stale", true],
    ] as const) {
      const { perSecond, p50Ms, p99Ms } = await loadReads(rival, 64, { seconds, isStale });
      const name = `${rival.name}: ${kind} reads, gRPC, 64 clients`;
      figures.push({ name, value: perSecond, unit: "/s", note: latencies(p50Ms, p99Ms) });
    }
    return figures;
  },
  async failover(rival, { kills }) {
    const times: number[] = [];
    for (let i = 0; i < kills; i++) {
      times.push(await failoverMs(rival, i * 10_000));
      await Bun.sleep(SETTLE_MS);
    }
    const note = `p90 ${Math.round(percentile(times, 90))} ms, ${spread(times)}, ${kills} kills of the leader`;
    return [{ name: `${rival.name}: writes stop for, p50`, value: median(times), unit: "ms", note }];
  },
};

const OURS: Readonly<Record<string, (quorum: LatticeQuorum, options: Options) => Promise<readonly Figure[]>>> = {
  async rest(quorum, { seconds }) {
    const figures: Figure[] = [];
    const body = JSON.stringify({ tenant: "default", entrypoint: "true" });
    const headers = { "content-type": "application/json" };
    for (const clients of CLIENTS) {
      const end = performance.now() + seconds * 1000;
      const done = await Promise.all(
        quorum.restUrls().map((url, i, { length }) => {
          const load = { port: Number(new URL(url).port), path: "/api/v1/allocations", headers, body };
          const share = Math.floor((clients + i) / length);
          return share === 0 ? 0 : sendOverHttp(load, share, () => performance.now() > end);
        }),
      );
      const value = done.reduce((sum, n) => sum + n, 0) / seconds;
      figures.push({ name: `Lattice: durable writes, REST, ${clients} clients`, value, unit: "/s" });
    }
    return figures;
  },
  heartbeats: (quorum, { seconds }) => heartbeats(quorum, seconds),
  catchup: catchUp,
  restart,
};

async function main(argv: readonly string[]): Promise<number> {
  const flags = new Map(argv.map((word) => word.split(/=(.*)/)).map(([key = "", value = ""]) => [key, value]));
  const sections = [...Object.keys(SHARED), ...Object.keys(OURS)];
  const only = flags.get("--only")?.split(",") ?? sections;
  const unknown = [...flags.keys()].find((key) => !["--etcd", "--seconds", "--kills", "--only"].includes(key));
  const stray = only.find((name) => !sections.includes(name));
  const problem = unknown ?? stray ?? (flags.has("--etcd") ? missingForEtcd() : undefined);
  if (problem !== undefined) {
    console.error(`${problem}\nUsage: bun run bench:quorum [--etcd] [--seconds=N] [--kills=N] [--only=${sections}]`);
    return 2;
  }
  const options = { seconds: Number(flags.get("--seconds") ?? 5), kills: Number(flags.get("--kills") ?? 20) };
  buildBinaries();
  printMachine();
  const theirs = flags.has("--etcd") ? await measure(startEtcd, only, options) : [];
  const shared = await measure(startLattice, only, options);
  printFigures(ratios(shared, theirs));
  for (const name of only.filter((n) => n in OURS)) {
    const quorum = await startLattice();
    try {
      printFigures((await OURS[name]?.(quorum, options)) ?? []);
    } finally {
      await quorum.close();
    }
  }
  return 0;
}

/** Runs the shared sections on a fresh cluster of one kind; the other kind is not running then. */
async function measure(start: () => Promise<Rival>, only: readonly string[], options: Options) {
  const figures: Figure[] = [];
  for (const name of only.filter((n) => n in SHARED)) {
    const rival = await start();
    try {
      const section = (await SHARED[name]?.(rival, options)) ?? [];
      printFigures(section);
      figures.push(...section);
    } finally {
      await rival.close();
    }
  }
  return figures;
}

/** Ours over theirs, line by line; the targets are those of the comparison. */
function ratios(ours: readonly Figure[], theirs: readonly Figure[]): readonly Figure[] {
  return theirs.flatMap((their, i) => {
    const our = ours[i];
    if (!our) return [];
    const name = `${their.name.replace(/^etcd: /, "")}: Lattice over etcd`;
    const isTarget = their.name.includes("writes, gRPC, 64");
    return [{ name, value: our.value / their.value, unit: "x", ...(isTarget && { target: { atLeast: 1.5 } }) }];
  });
}

const latencies = (p50: number, p99: number): string => `p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(1)} ms`;

process.exitCode = await main(process.argv.slice(2));
