/** What commands do to the replicated state, case by case, in the golden files beside this one. */
import { runGolden } from "../runner.ts";
import { startState } from "./state-script.ts";

runGolden(import.meta.dir, () => {
  const obey = startState();
  return ({ command, args, input }) => obey([[command, ...args].join(" "), ...input.split("\n").filter(Boolean)]);
});
