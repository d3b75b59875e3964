/** Spreads seeds over processes: each gets the next seed as soon as it is done with one. */
import { join } from "node:path";
import type { SeedOrder, SeedOutcome } from "./run-seed.ts";
import { runSeed } from "./run-seed.ts";

const CHILD = join(import.meta.dir, "seed-process.ts");

/** What is run. */
export interface PoolOptions {
  readonly orders: Iterable<SeedOrder>;
  /** Processes; 1 is this one. */
  readonly jobs: number;
  /** Is told of each outcome as it comes; returns whether to go on. */
  readonly onOutcome: (outcome: SeedOutcome) => boolean;
}

/** Runs all orders, until one outcome ends it. */
export async function runSeeds({ orders, jobs, onOutcome }: PoolOptions): Promise<void> {
  const next = orders[Symbol.iterator]();
  let isOver = false;
  const work = async (run: (order: SeedOrder) => Promise<SeedOutcome>): Promise<void> => {
    while (!isOver) {
      const { done, value } = next.next();
      if (done === true) return;
      if (!onOutcome(await run(value))) isOver = true;
    }
  };
  if (jobs === 1) return work(runSeed);
  await Promise.all(
    Array.from({ length: jobs }, async () => {
      const child = startChild();
      await work(child.run).finally(child.end);
    }),
  );
}

function startChild() {
  let answer = (_: SeedOutcome): void => {};
  let fail = (_: Error): void => {};
  const child = Bun.spawn([process.execPath, CHILD], {
    stdio: ["ignore", "inherit", "inherit"],
    serialization: "advanced",
    ipc: (outcome: SeedOutcome) => answer(outcome),
    onExit: (_, code) => fail(new Error(`a process that ran seeds ended with ${code}`)),
  });
  return {
    run: (order: SeedOrder): Promise<SeedOutcome> =>
      new Promise((resolve, reject) => {
        answer = resolve;
        fail = reject;
        child.send(order);
      }),
    end: (): void => child.kill(),
  };
}
