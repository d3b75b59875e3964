/**
 * Runs one tier of tests: `check` (pure, under a minute), `test` (everything that is
 * deterministic, and short runs of real processes), `long` (that, and what takes longer). Installs
 * dependencies and builds binaries as far as the tier needs them. The last line is
 * "N passed, N failed".
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildBinaries } from "./build.ts";
import { ensureInstalled, ROOT, runTool } from "./workspace.ts";

/** Folders of tests that run together, and how long one test of them may take. */
interface Stage {
  readonly folders: readonly string[];
  readonly timeoutMs: number;
  /** What makes its tests go further than in the short tier. */
  readonly env?: Readonly<Record<string, string>>;
}

const PURE: Stage = { folders: ["tidy", "unit", "golden"], timeoutMs: 10_000 };
const REAL_PARTS: Stage = { folders: ["property", "sim", "contract", "integration"], timeoutMs: 60_000 };
const BINARIES: Stage = { folders: ["e2e"], timeoutMs: 180_000 };
const DEEPER = { LATTICE_TEST_KILLS: "50", LATTICE_PROPERTY_RUNS: "1000", SIM_SEEDS: "400", LATTICE_TEST_ROLLS: "10" };
const TIERS: Readonly<Record<string, readonly Stage[]>> = {
  check: [PURE],
  test: [PURE, REAL_PARTS, BINARIES],
  long: [
    PURE,
    { ...REAL_PARTS, timeoutMs: 600_000, env: DEEPER },
    { ...BINARIES, timeoutMs: 1_200_000, env: DEEPER },
    { folders: ["long"], timeoutMs: 3_600_000 },
  ],
};

interface Count {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Each is run by its own tool and counts as one test. */
const STATIC_CHECKS = {
  "types, everywhere": () => runTool("tsc", ["--noEmit", "-p", "."]),
  "types, core without a host": () => runTool("tsc", ["--noEmit", "-p", "src/core"]),
  "style and lint": () => runTool("biome", ["check", "."]),
  "contract lint": () => runTool("buf", ["lint"]),
} as const;

function staticChecks(): Count[] {
  return Object.entries(STATIC_CHECKS).map(([name, run]) => {
    const { exitCode, stdout, stderr } = run();
    if (exitCode === 0) return { passed: 1, failed: 0, skipped: 0 };
    console.error(`${stdout}${stderr}\nfailed: ${name}`);
    return { passed: 0, failed: 1, skipped: 0 };
  });
}

/** Runs a stage under Bun's test runner, whose own words go straight to the terminal. */
function runStage({ folders, timeoutMs, env = {} }: Stage, scratch: string): Count {
  const present = folders.map((f) => `tests/${f}`).filter(hasTests);
  if (present.length === 0) {
    console.error(`There are no tests in ${folders.map((f) => `tests/${f}`).join(", ")}.`);
    return { passed: 0, failed: 0, skipped: 0 };
  }
  if (present.some((f) => f === "tests/e2e" || f === "tests/long")) buildBinaries();
  const report = join(scratch, `${folders.join("-")}.xml`);
  const flags = ["--only-failures", `--timeout=${timeoutMs}`, "--reporter=junit", `--reporter-outfile=${report}`];
  const run = Bun.spawnSync([process.execPath, "test", ...flags, ...present.map((f) => `./${f}`)], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const count = existsSync(report) ? readReport(readFileSync(report, "utf8")) : { passed: 0, failed: 0, skipped: 0 };
  const broke = run.exitCode !== 0 && count.failed === 0;
  if (broke) console.error(`failed: the test runner left with ${run.exitCode ?? run.signalCode}`);
  return broke ? { ...count, failed: 1 } : count;
}

const hasTests = (folder: string): boolean =>
  existsSync(join(ROOT, folder)) && !new Bun.Glob("**/*.test.ts").scanSync(join(ROOT, folder)).next().done;

/** Returns what the totals at the head of a JUnit report say. */
function readReport(xml: string): Count {
  const totals = /<testsuites\b[^>]*>/.exec(xml)?.[0] ?? "";
  const number = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(totals)?.[1] ?? 0);
  const [failed, skipped] = [number("failures"), number("skipped")];
  return { passed: number("tests") - failed - skipped, failed, skipped };
}

function main(tier: string): number {
  const stages = TIERS[tier];
  if (stages === undefined) {
    console.error(`unknown tier ${JSON.stringify(tier)}: one of ${Object.keys(TIERS).join(", ")}`);
    return 2;
  }
  ensureInstalled("all");
  const scratch = mkdtempSync(join(tmpdir(), "lattice-tests-"));
  try {
    const counts = [...staticChecks(), ...stages.map((stage) => runStage(stage, scratch))];
    const sum = (of: keyof Count) => counts.reduce((total, count) => total + count[of], 0);
    const skipped = sum("skipped") > 0 ? `, ${sum("skipped")} skipped` : "";
    console.log(`\n${sum("passed")} passed, ${sum("failed")} failed${skipped}`);
    return sum("failed") === 0 ? 0 : 1;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

process.exit(main(process.argv[2] ?? "check"));
