/** What the scheduler places and what it says of the rest, case by case, in the golden files beside this one. */
import { runGolden } from "../runner.ts";
import { startCluster } from "./scheduler-script.ts";

runGolden(import.meta.dir, () => {
  const obey = startCluster();
  return ({ command, args, input }) => obey([[command, ...args].join(" "), ...input.split("\n").filter(Boolean)]);
});
