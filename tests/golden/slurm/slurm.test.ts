/** The Slurm texts that `core/slurm` reads and writes, case by case, in the golden files beside this one. */
import type { Result } from "../../../src/base/result.ts";
import type { Fault } from "../../../src/core/domain/errors.ts";
import { compressNodeList, expandNodeList } from "../../../src/core/slurm/node-list.ts";
import type { GoldenCase } from "../runner.ts";
import { runGolden } from "../runner.ts";

const shown = <T>(result: Result<T, Fault>, show: (value: T) => string): string =>
  result.ok ? show(result.value) : `${result.error.reason}: ${result.error.message}`;

const EVALUATE: Readonly<Record<string, (golden: GoldenCase) => string>> = {
  compress: ({ args }) => compressNodeList(args),
  expand: ({ args }) => shown(expandNodeList(args.join(" ")), (names) => names.join(" ")),
};

runGolden(import.meta.dir, () => (golden) => {
  const evaluate = EVALUATE[golden.command];
  if (!evaluate) throw new Error(`line ${golden.line}: no command ${golden.command}`);
  return evaluate(golden);
});
