/**
 * `bun run bench:quorum [--etcd] [--seconds=N] [--kills=N] [--only=writes,reads,…]`: what
 * three servers do together on loopback: durable writes, reads, failover, a member that
 * catches up, a restart. With --etcd the same is measured of three members of etcd in the
 * same run, and the ratios are printed. Never fails by the clock.
 */
import { buildBinaries } from "../../../scripts/build.ts";
import type { Figure } from "../figure.ts";
import { median, percentile, printFigures, printMachine, spread } from "../figure.ts";
import { missingForEtcd, startEtcd } from "./etcd.ts";
import { failoverMs } from "./failover.ts";
import type { LatticeQuorum } from "./lattice.ts";
import { startLattice } from "./lattice.ts";
import type { LoadResult } from "./load.ts";
import { loadHttpWrites, loadReads, loadWrites } from "./load.ts";
import { catchUp, heartbeats, restart } from "./operations.ts";
import type { Rival } from "./rival.ts";
import { stalls } from "./stalls.ts";

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
      const { perSecond, ...rest } = await loadWrites(rival, clients, seconds);
      const name = `${rival.name}: durable writes, gRPC, ${clients} clients`;
      figures.push({ name, value: perSecond, unit: "/s", note: noteOf(rest) });
    }
    return figures;
  },
  async http(rival, { seconds }) {
    const figures: Figure[] = [];
    for (const clients of CLIENTS) {
      const { perSecond, ...rest } = await loadHttpWrites(rival, clients, seconds);
      const name = `${rival.name}: durable writes, HTTP/1.1 JSON, ${clients} clients`;
      figures.push({ name, value: perSecond, unit: "/s", note: noteOf(rest) });
    }
    return figures;
  },
  async reads(rival, { seconds }) {
    const figures: Figure[] = [];
    for (const [kind, isStale] of [
      ["linearizable", false],
      ["stale", true],
    ] as const) {
      const { perSecond, ...rest } = await loadReads(rival, 64, { seconds, isStale });
      const name = `${rival.name}: ${kind} reads, gRPC, 64 clients`;
      figures.push({ name, value: perSecond, unit: "/s", note: noteOf(rest) });
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
  heartbeats: (quorum, { seconds }) => heartbeats(quorum, seconds),
  stalls: (quorum, { seconds }) => stalls(quorum, seconds),
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
  if (process.env.LATTICE_TEST_DIST === undefined) buildBinaries();
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

/**
 * Ours over theirs. Each kind is also taken by its faster face: ours speaks HTTP/1.1 faster
 * than gRPC, theirs the reverse. The target is that one, at 64 clients.
 */
function ratios(ours: readonly Figure[], theirs: readonly Figure[]): readonly Figure[] {
  const named = (figures: readonly Figure[], part: string) => figures.find((f) => f.name.includes(part));
  const lines = theirs.flatMap((their) => {
    const what = their.name.replace(/^etcd: /, "");
    const our = named(ours, what);
    return our ? [{ name: `${what}: Lattice over etcd`, value: our.value / their.value, unit: "x" }] : [];
  });
  const best = CLIENTS.flatMap((clients): Figure[] => {
    const our = named(ours, `HTTP/1.1 JSON, ${clients} clients`);
    const their = named(theirs, `writes, gRPC, ${clients} clients`);
    if (!our || !their) return [];
    const name = `writes, each by its faster face, ${clients} clients: Lattice over etcd`;
    const target = clients === 64 ? { target: { atLeast: 1.5 } } : {};
    return [{ name, value: our.value / their.value, unit: "x", ...target }];
  });
  return [...lines, ...best];
}

const noteOf = ({ p50Ms, p99Ms, cost }: Omit<LoadResult, "perSecond">): string =>
  `p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(1)} ms; ${cost}`;

process.exitCode = await main(process.argv.slice(2));
