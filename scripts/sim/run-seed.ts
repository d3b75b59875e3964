/** Runs one seed of the simulator in this process, once or twice, and says what came of it. */
import { drainMicrotasks } from "bun:jsc";
import type { SimulationOptions, SimulationResult } from "../../src/sim/simulation.ts";
import { simulate } from "../../src/sim/simulation.ts";

/** What is run; `once`: without the second run, which has to give the same trace. */
export interface SeedOrder extends Omit<SimulationOptions, "settle"> {
  readonly once?: boolean;
}

/** The result, and whether a second run gave the same trace. */
export interface SeedOutcome {
  readonly result: SimulationResult;
  readonly isSame: boolean;
}

/** Promises that were rejected and that nobody looked at: the host tells of them only when its loop turns. */
const unhandled: unknown[] = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));

/** Runs a seed. */
export async function runSeed({ once = true, ...options }: SeedOrder): Promise<SeedOutcome> {
  const result = await runOnce(options);
  return { result, isSame: once || (await runOnce(options)).hash === result.hash };
}

async function runOnce(options: Omit<SimulationOptions, "settle">): Promise<SimulationResult> {
  const result = simulate({ ...options, settle: drainMicrotasks });
  await new Promise((resolve) => setImmediate(resolve));
  const [first] = unhandled.splice(0);
  if (first === undefined || result.finding !== undefined) return result;
  return { ...result, finding: { property: "no error is lost", text: String(first) } };
}
