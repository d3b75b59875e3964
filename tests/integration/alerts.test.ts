/**
 * Shows that the alert rules are valid, that each of them fires on what it is for and
 * stays quiet on a cluster that is well, and that no alert is without such a case. Needs
 * promtool, of the package prometheus; says so and passes over where it is missing.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const FOLDER = join(import.meta.dir, "../../infra/alerting");
const RULES = join(FOLDER, "lattice-alerts.yaml");
const CASES = join(FOLDER, "lattice-alerts.test.yaml");

const promtool = Bun.which("promtool");
if (promtool === null) console.log("left out: checking the alert rules needs promtool, of the package prometheus");

function said(...args: readonly string[]) {
  const run = Bun.spawnSync([promtool ?? "", ...args]);
  return { exitCode: run.exitCode, text: run.stdout.toString() + run.stderr.toString() };
}

test("every alert has a case in which it fires", () => {
  const alerts = [...readFileSync(RULES, "utf8").matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
  const cases = readFileSync(CASES, "utf8");
  expect(alerts.length).toBeGreaterThan(15);
  expect(alerts.filter((name) => !cases.includes(`expr: ALERTS{alertname="${name}"`))).toEqual([]);
});

test.skipIf(promtool === null)("promtool finds the rules valid", () => {
  expect(said("check", "rules", RULES)).toMatchObject({ exitCode: 0 });
});

test.skipIf(promtool === null)(
  "each alert fires on what it is for, and none on a cluster that is well",
  () => {
    const { exitCode, text } = said("test", "rules", CASES);
    expect(text).toContain("SUCCESS");
    expect(exitCode).toBe(0);
  },
  60_000,
);
