/** Shows that files, folders, functions and parameter lists keep their limits, but for exceptions.ts, which is exact. */
import { expect, test } from "bun:test";
import { dirname } from "node:path";
import { runTool } from "../../scripts/workspace.ts";
import { FILES_TOO_LONG, FOLDERS_TOO_FULL, FUNCTIONS_TOO_LONG, TOO_MANY_PARAMETERS } from "./exceptions.ts";
import { CODE, SRC } from "./sources.ts";

const FILE_LINES = 400;
const FILE_LINES_HARD = 500;
const FUNCTION_LINES_HARD = 70;
const FOLDER_FILES = 20;

interface Finding {
  readonly rule: string;
  readonly path: string;
  readonly lines: number;
}

/** Returns what biome finds in src/ under the limits of sizes.jsonc. */
function findings(): readonly Finding[] {
  const flags = ["--config-path=tests/tidy/sizes.jsonc", "--reporter=json", "--max-diagnostics=none"];
  const run = runTool("biome", ["lint", ...flags, "src"]);
  const report: { diagnostics: BiomeDiagnostic[] } = JSON.parse(run.stdout);
  return report.diagnostics
    .filter(({ location }) => !location.path.startsWith("src/gen/"))
    .map(({ category, message, location }) => ({
      rule: category,
      path: location.path,
      lines: Number(/(\d+) lines/.exec(message)?.[1] ?? 0),
    }));
}

interface BiomeDiagnostic {
  readonly category: string;
  readonly message: string;
  readonly location: { readonly path: string };
}

function countBy(paths: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const path of paths) counts[path] = (counts[path] ?? 0) + 1;
  return counts;
}

const found = findings();
const of = (rule: string) => found.filter((f) => f.rule === rule);

test("a function has at most 50 lines", () => {
  const long = of("lint/complexity/noExcessiveLinesPerFunction");
  expect(countBy(long.map((f) => f.path))).toEqual(FUNCTIONS_TOO_LONG);
  expect(long.filter((f) => f.lines > FUNCTION_LINES_HARD)).toEqual([]);
});

test("a function takes at most 3 parameters", () => {
  expect(countBy(of("lint/complexity/useMaxParams").map((f) => f.path))).toEqual(TOO_MANY_PARAMETERS);
});

test("a file has at most 400 lines", () => {
  const lengths = CODE.map(({ path, text }) => [path, text.trimEnd().split("\n").length] as const);
  expect(Object.fromEntries(lengths.filter(([, lines]) => lines > FILE_LINES))).toEqual(FILES_TOO_LONG);
  expect(lengths.filter(([, lines]) => lines > FILE_LINES_HARD)).toEqual([]);
});

test("a folder has at most 20 files", () => {
  const counts = Object.entries(countBy(SRC.map(({ path }) => dirname(path))));
  expect(Object.fromEntries(counts.filter(([, count]) => count > FOLDER_FILES))).toEqual(FOLDERS_TOO_FULL);
});
