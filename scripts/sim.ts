/**
 * Runs the simulator: one seed with its trace, or many seeds, each twice, with a line for
 * each that fails and a hash that names the code. `bun run sim -- --seed N`,
 * `bun run sim -- --seeds FIRST-LAST --jobs 2`.
 */
import { parseArgs } from "node:util";
import { compareText } from "../src/base/compare.ts";
import type { SimulationOptions, SimulationResult } from "../src/sim/simulation.ts";
import type { SeedOutcome } from "./sim/run-seed.ts";
import { runSeed } from "./sim/run-seed.ts";
import { runSeeds } from "./sim/seed-pool.ts";
import { hashSources } from "./sim/source-hash.ts";

const USAGE = `usage: bun run sim -- --seed N [--minutes M] [--members 3|5] [--quiet]
       bun run sim -- --seeds FIRST-LAST [--minutes M] [--members 3|5] [--once] [--stop] [--jobs N]`;

type Size = Pick<SimulationOptions, "members" | "minutes">;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: "string" },
      seeds: { type: "string" },
      minutes: { type: "string" },
      members: { type: "string" },
      once: { type: "boolean", default: false },
      stop: { type: "boolean", default: false },
      jobs: { type: "string", default: "1" },
      quiet: { type: "boolean", default: false },
    },
  });
  const size: Size = {
    ...(values.minutes !== undefined && { minutes: number(values.minutes) }),
    ...(values.members !== undefined && { members: number(values.members) }),
  };
  if (values.seed !== undefined) return showOne(number(values.seed), size, values.quiet);
  const [first, last] = (values.seeds ?? "").split("-").map(number);
  if (first === undefined || last === undefined) {
    console.error(USAGE);
    return 2;
  }
  return runMany(first, last, { size, ...values, jobs: number(values.jobs) });
}

/** Prints what happens, a line an event. */
async function showOne(seed: number, size: Size, isQuiet: boolean): Promise<number> {
  const onLine = isQuiet ? {} : { onLine: (line: string) => console.log(line) };
  const { result } = await runSeed({ seed, ...size, ...onLine });
  console.log(summary(result));
  return result.finding === undefined ? 0 : 1;
}

interface ManyOptions {
  readonly size: Size;
  readonly once: boolean;
  readonly stop: boolean;
  readonly jobs: number;
}

async function runMany(first: number, last: number, { size, once, stop, jobs }: ManyOptions): Promise<number> {
  const began = performance.now();
  let [ran, failed] = [0, 0];
  let [virtualMs, operations, entries] = [0, 0, 0];
  const counts = new Map<string, number>();
  const onOutcome = ({ result, isSame }: SeedOutcome): boolean => {
    ran += 1;
    virtualMs += result.virtualMs;
    operations += result.operations;
    entries += result.entries;
    for (const [what, n] of result.counts) counts.set(what, (counts.get(what) ?? 0) + n);
    if (result.finding === undefined && isSame) return true;
    failed += 1;
    console.log(isSame ? summary(result) : `seed ${result.seed} gives another trace each time`);
    return !stop;
  };
  const orders = Array.from({ length: last - first + 1 }, (_, i) => ({ seed: first + i, once, ...size }));
  await runSeeds({ orders, jobs, onOutcome });
  const seconds = (performance.now() - began) / 1000;
  const sources = hashSources();
  console.log(
    `${ran} seeds (${first}-${last}), ${failed} failed: ${(virtualMs / 3_600_000).toFixed(1)} virtual hours, ` +
      `${operations} operations, ${entries} entries in ${seconds.toFixed(0)} s`,
  );
  const happened = [...counts].toSorted(([a], [b]) => compareText(a, b)).map(([what, n]) => `${what} ${n}`);
  console.log(`what happened: ${happened.join(", ")}`);
  console.log(`sources: ${sources.hash}, over ${sources.files} files`);
  return failed === 0 ? 0 : 1;
}

function summary(result: SimulationResult): string {
  const { seed, finding, hash, virtualMs, operations, unanswered, entries, elections } = result;
  const outcome = finding === undefined ? "clean" : `FAILED ${finding.property}: ${finding.text}`;
  const figures = `${(virtualMs / 1000).toFixed(1)} s, ${operations} operations (${unanswered} unanswered), ${entries} entries, ${elections} elections`;
  const again = finding === undefined ? "" : `\n  again: bun run sim -- --seed ${seed}`;
  return `seed ${seed}: ${outcome}; ${figures}; trace ${hash}${again}`;
}

const number = (text: string): number => Number(text);

process.exit(await main());
