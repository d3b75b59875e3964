/** The Slurm texts that `core/slurm` reads and writes, case by case, in the golden files beside this one. */
import type { Result } from "../../../src/base/result.ts";
import type { Directives } from "../../../src/core/domain/allocation-request.ts";
import type { Fault } from "../../../src/core/domain/errors.ts";
import { formatRanges, parseArraySpec } from "../../../src/core/slurm/array-spec.ts";
import { parseDependency } from "../../../src/core/slurm/dependency.ts";
import { formatWalltime, parseDuration } from "../../../src/core/slurm/duration.ts";
import { compressNodeList, expandNodeList } from "../../../src/core/slurm/node-list.ts";
import { parseDirectives } from "../../../src/core/slurm/parse-directives.ts";
import type { GoldenCase } from "../runner.ts";
import { runGolden } from "../runner.ts";

const shown = <T>(result: Result<T, Fault>, show: (value: T) => string): string =>
  result.ok ? show(result.value) : `${result.error.reason}: ${result.error.message}`;

const listed = (directives: Directives): string => {
  const { array } = directives;
  const fields = Object.entries(directives.request).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  const indices = array === undefined ? [] : [`array = ${formatRanges(array.ranges)} at most ${array.concurrentMax}`];
  return [...fields, ...indices, ...directives.warnings.map((w) => `warning: ${w}`)].join("\n");
};

const EVALUATE: Readonly<Record<string, (golden: GoldenCase) => string>> = {
  compress: ({ args }) => compressNodeList(args),
  expand: ({ args }) => shown(expandNodeList(args.join(" ")), (names) => names.join(" ")),
  time: ({ args }) => shown(parseDuration(args.join(" ")), (ms) => `${ms / 1000} s, ${formatWalltime(ms)}`),
  array: ({ args }) =>
    shown(parseArraySpec(args.join(" ")), (a) => `${formatRanges(a.ranges)} at most ${a.concurrentMax}`),
  dependency: ({ args: [text = ""] }) =>
    shown(parseDependency(text), ({ dependsOn, warnings }) =>
      [...dependsOn.map((d) => `${d.condition} ${d.ref}`), ...warnings.map((w) => `warning: ${w}`)].join("\n"),
    ),
  script: ({ input }) => shown(parseDirectives(input), listed),
};

runGolden(import.meta.dir, () => (golden) => {
  const evaluate = EVALUATE[golden.command];
  if (!evaluate) throw new Error(`line ${golden.line}: no command ${golden.command}`);
  return evaluate(golden);
});
