/**
 * `bun run bench:replay [--rounds=N]`: how many jobs a second a replay gets through, by
 * policy, on a published trace of 10,000 jobs for 256 nodes. One thread; the production
 * scheduler and state machine. Prints figures and targets; never fails by the clock.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { equalNodes } from "../../src/replay/machine.ts";
import { POLICIES, POLICY_NAMES } from "../../src/replay/policies.ts";
import { simulate } from "../../src/replay/simulate.ts";
import { readSwf } from "../../src/replay/swf.ts";
import type { Figure } from "./figure.ts";
import { median, printFigures, printMachine, spread } from "./figure.ts";

const TRACE = join(import.meta.dir, "../fixtures/traces/lublin_256.swf.gz");
/** Of EASY, in jobs a second. */
const TARGET = 10_000;

function main(argv: readonly string[]): number {
  const [first] = argv;
  if (argv.length > 1 || (first !== undefined && !/^--rounds=[1-9]\d*$/.test(first))) {
    console.error("Usage: bun run bench:replay [--rounds=N]");
    return 2;
  }
  const trace = readSwf(new TextDecoder().decode(Bun.gunzipSync(readFileSync(TRACE))));
  if (!trace.ok) throw new Error(trace.error.message);
  const machine = equalNodes(256);
  printMachine();
  const figures: Figure[] = [];
  for (const name of POLICY_NAMES) {
    const wall: number[] = [];
    const processor: number[] = [];
    // The first round is for the compiler.
    for (let round = 0; round <= Number(first?.split("=")[1] ?? 3); round++) {
      const began = performance.now();
      const before = process.cpuUsage();
      const { runs } = simulate(trace.value, machine, { policy: POLICIES[name], estimate: "exact" });
      const { user, system } = process.cpuUsage(before);
      if (round === 0) continue;
      wall.push((1_000 * runs.length) / (performance.now() - began));
      processor.push((1e6 * runs.length) / (user + system));
    }
    const target = name === "easy" ? { target: { atLeast: TARGET } } : {};
    figures.push({ name: `${name}, by the clock`, value: median(wall), unit: "jobs/s", note: spread(wall), ...target });
    figures.push({
      name: `${name}, by processor time`,
      value: median(processor),
      unit: "jobs/s",
      note: spread(processor),
    });
  }
  printFigures(figures);
  return 0;
}

process.exitCode = main(process.argv.slice(2));
