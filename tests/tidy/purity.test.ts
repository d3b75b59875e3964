/** Shows that core/ reads no clock, randomness or host setting, and that nothing the simulator runs does. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";

const SRC = join(import.meta.dir, "../../src");

type Rule = readonly [RegExp, string];

/** What would let two runs of one seed disagree: banned wherever the simulator reaches. */
const HIDDEN_INPUT: readonly Rule[] = [
  [
    /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b/,
    "take the time from the command, the tick or the clock port",
  ],
  [/\bMath\.random\b|\bcrypto\./, "take a Prng, or the id the proposer chose"],
  [/\bsetTimeout\b|\bsetInterval\b|\bBun\.sleep\b/, "take a timer from the clock port"],
];

/** What would let two replicas disagree: banned in core as well. */
const HOST_DEPENDENT: readonly Rule[] = [
  [/\basync\b|\bawait\b|\bPromise\b/, "return an effect and let the shell run it"],
  [/\blocaleCompare\b|\btoLocale\w+\b|\bIntl\./, "use compareText from base: locales differ by host"],
  [/\.sort\(\s*\)|\.toSorted\(\s*\)/, "pass a comparator: the default compares as text"],
  [
    /\bMath\.(exp|expm1|pow|log\w*|sin|cos|tan|a\w+h?|sinh|cosh|tanh|hypot|cbrt)\b(?<!Math\.abs)|\*\*/,
    "use base/math: libraries differ by architecture",
  ],
];

const COMMENT = /\/\*[\s\S]*?\*\/|\/\/.*$/gm;

export function impurities(file: string, text: string, rules: readonly Rule[]): string[] {
  const code = text.replace(COMMENT, "");
  return rules.filter(([p]) => p.test(code)).map(([p, hint]) => `${file}: ${p.source} — ${hint}`);
}

const scan = (pattern: string, rules: readonly Rule[]) =>
  [...new Glob(pattern).scanSync(SRC)].sort().flatMap((f) => impurities(f, readFileSync(join(SRC, f), "utf8"), rules));

test("core is pure", () => {
  expect(scan("core/**/*.ts", [...HIDDEN_INPUT, ...HOST_DEPENDENT])).toEqual([]);
});

test("what the simulator runs has no hidden input", () => {
  expect(scan("{base,engine,sim,replay}/**/*.ts", HIDDEN_INPUT)).toEqual([]);
});

test("the check notices", () => {
  const all = [...HIDDEN_INPUT, ...HOST_DEPENDENT];
  expect(impurities("core/x.ts", "const t = Date.now();", all)).toHaveLength(1);
  expect(impurities("core/x.ts", "// Date.now() would differ per replica", all)).toHaveLength(0);
  expect(impurities("core/x.ts", "ids.sort()", all)).toHaveLength(1);
  expect(impurities("core/x.ts", "const y = Math.log(x)", all)).toHaveLength(1);
  expect(impurities("core/x.ts", "const y = Math.abs(x) + Math.max(1, 2)", all)).toHaveLength(0);
});
