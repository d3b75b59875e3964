/**
 * Shows that whole clusters, the real servers and agents over a fake world, keep every
 * property that the checkers of src/sim know: for the seeds that once found something, and
 * for fresh ones. Each seed runs twice and must give the same trace. Fresh seeds begin at
 * SIM_FIRST_SEED, or at a number drawn from the source's own hash: each change of the source
 * meets others, and each run of one source the same. SIM_SEEDS says how many.
 */
import { drainMicrotasks } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { SimulationOptions } from "../../src/sim/simulation.ts";
import { simulate } from "../../src/sim/simulation.ts";

const SEEDS_PER_TEST = 5;
const count = Number(process.env.SIM_SEEDS ?? 100);
const first = Number(process.env.SIM_FIRST_SEED ?? seedOfSource());

/** Returns 1 where the source is in no repository. */
function seedOfSource(): number {
  if (Bun.which("git") === null) return 1;
  const { stdout } = Bun.spawnSync(["git", "rev-parse", "HEAD:src"], { cwd: import.meta.dir, stderr: "ignore" });
  return Number.parseInt(stdout.toString().slice(0, 7), 16) || 1;
}

type Case = Pick<SimulationOptions, "seed" | "members">;

/** Runs a seed twice; the line of a failure says how to run it again. */
function check({ seed, members }: Case): void {
  const options = { seed, settle: drainMicrotasks, ...(members !== undefined && { members }) };
  const result = simulate(options);
  const again = `bun run sim -- --seed ${seed}${members === undefined ? "" : ` --members ${members}`}`;
  expect(result.finding === undefined ? "" : `${again}: ${result.finding.property}: ${result.finding.text}`).toBe("");
  expect(`${again}: trace ${simulate(options).hash}`).toBe(`${again}: trace ${result.hash}`);
}

describe("seeds that once found something", () => {
  const lines = readFileSync(join(import.meta.dir, "seeds.txt"), "utf8").split("\n");
  for (const line of lines.filter((text) => text !== "" && !text.startsWith("#"))) {
    const [seed, members, ...found] = line.split(/\s+/);
    test(`seed ${seed}: ${found.join(" ")}`, () => {
      check({ seed: Number(seed), ...(members !== "-" && { members: Number(members) }) });
    });
  }
});

describe("fresh seeds", () => {
  for (let from = first; from < first + count; from += SEEDS_PER_TEST) {
    const to = Math.min(from + SEEDS_PER_TEST, first + count);
    test(`seeds ${from} to ${to - 1} keep every property, and give the same trace twice`, () => {
      for (let seed = from; seed < to; seed++) check({ seed });
    });
  }
});
