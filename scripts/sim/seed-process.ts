/** A process that runs the seeds that its parent sends it, one at a time, and sends back what came of each. */
import type { SeedOrder } from "./run-seed.ts";
import { runSeed } from "./run-seed.ts";

process.on("message", async (order: SeedOrder) => process.send?.(await runSeed(order)));
process.on("disconnect", () => process.exit(0));
