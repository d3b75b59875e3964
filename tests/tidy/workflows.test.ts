/**
 * Shows that the workflows are well-formed as far as can be told without running them: jobs
 * wait for jobs that exist, nothing may write unless its job says so, actions have a
 * version, Bun is the one of package.json, scripts exist, and a release is published only
 * from a tag, after it was tried on both machines.
 */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import manifest from "../../package.json";
import { files, ROOT } from "./sources.ts";

interface Job {
  readonly needs?: string;
  readonly if?: string;
  readonly "timeout-minutes"?: number;
  readonly steps: readonly { readonly uses?: string; readonly run?: string }[];
}

interface Workflow {
  readonly permissions: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

const TEXTS = files(".github/workflows/*.yml");
const WORKFLOWS = TEXTS.map(({ path, text }): readonly [string, Workflow] => [path, parse(text)]);

test("every job waits for jobs that exist, ends in time, and may only read unless it says otherwise", () => {
  expect(WORKFLOWS.length).toBe(2);
  for (const [, { permissions, jobs }] of WORKFLOWS) {
    expect(permissions).toEqual({ contents: "read" });
    for (const job of Object.values(jobs)) {
      expect(job["timeout-minutes"]).toBeGreaterThan(0);
      if (job.needs !== undefined) expect(Object.keys(jobs)).toContain(job.needs);
    }
  }
});

test("every action has a version, and every script that is run is here", () => {
  const steps = WORKFLOWS.flatMap(([, { jobs }]) => Object.values(jobs).flatMap((job) => job.steps));
  for (const { uses, run = "" } of steps) {
    if (uses !== undefined) expect(uses).toMatch(/^[\w-]+\/[\w-]+@v\d+$/);
    const path = /^((?:release|scripts|\.ci)\/\S+)/m.exec(run)?.[1];
    if (path !== undefined) expect(existsSync(join(ROOT, path))).toBe(true);
    for (const [, script = ""] of run.matchAll(/bun\S* run (\w+)|\$BUN run (\w+)/g)) {
      if (script !== "") expect(Object.keys(manifest.scripts)).toContain(script);
    }
  }
});

test("Bun is the one of package.json", () => {
  const asked = TEXTS.flatMap(({ text }) => [...text.matchAll(/bun@(\d[\d.]*)/g)].map(([, version]) => version));
  expect(new Set(asked)).toEqual(new Set([manifest.engines.bun]));
});

test("a release is published from a tag only, after it was tested, built and tried", () => {
  const jobs = WORKFLOWS.find(([path]) => path.endsWith("release.yml"))?.[1].jobs ?? {};
  expect(jobs.publish?.if).toBe("github.ref_type == 'tag'");
  const order = ["publish", "smoke", "build", "test"];
  for (const [i, name] of order.entries()) expect(jobs[name]?.needs).toBe(order[i + 1]);
});
