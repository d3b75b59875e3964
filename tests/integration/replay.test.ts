/**
 * Shows that a replay through the command line reproduces the figures of an independent
 * simulator on a published trace, and that equal input gives equal bytes. The reference
 * looks at the whole queue, takes run times as estimates, and passes once at each distinct
 * time, ends before arrivals.
 */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runReplay } from "../../src/cli/replay/main.ts";
import type { Metrics } from "../../src/replay/metrics.ts";

const TRACE = join(import.meta.dir, "../fixtures/traces/lublin_256.swf.gz");
const folder = mkdtempSync(join(tmpdir(), "lattice-replay-"));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(...words: readonly string[]) {
  let out = "";
  let err = "";
  const terminal = {
    out: (text: string | Uint8Array) => {
      out += String(text);
    },
    err: (text: string | Uint8Array) => {
      err += String(text);
    },
    columns: 100,
    hasColour: false,
    clear: () => {},
  };
  const code = await runReplay(words, { terminal, version: "rm-replay test" });
  return { code, out, err };
}

const within = (actual: number, expected: number, share: number): void =>
  expect(Math.abs(actual / expected - 1)).toBeLessThan(share);

test("reproduces the independent figures on lublin_256, and the default does better than EASY", async () => {
  const output = join(folder, "lublin");
  const { code, out } = await run("-i", TRACE, "--output", output);
  expect([code, out.split("\n")[0]?.split(/\s+/)[0]]).toEqual([0, "POLICY"]);
  const all: readonly Metrics[] = JSON.parse(readFileSync(join(output, "metrics.json"), "utf8"));
  const [fcfs, easy, conservative, lattice] = all;
  if (!fcfs || !easy || !conservative || !lattice) throw new Error("four policies were replayed");
  within(fcfs.bounded_slowdown.mean, 66_502, 0.0001);
  within(fcfs.utilisation, 0.655, 0.001);
  within(fcfs.wait_s.mean, 2_388_444, 0.0001);
  expect(fcfs.queue.max).toBe(3_936);
  within(easy.bounded_slowdown.mean, 590.05, 0.0001);
  within(easy.utilisation, 0.936, 0.001);
  within(easy.wait_s.mean, 97_156, 0.0001);
  expect(easy.queue.max).toBe(320);
  within(conservative.bounded_slowdown.mean, 489.2, 0.0001);
  within(conservative.wait_s.mean, 131_568, 0.0001);
  expect(lattice.bounded_slowdown.mean).toBeLessThan(easy.bounded_slowdown.mean);
  expect(lattice.utilisation).toBeGreaterThanOrEqual(easy.utilisation);
}, 120_000);

test("writes equal bytes for equal input", async () => {
  const small = join(folder, "small.swf");
  const jobs = Array.from({ length: 200 }, (_, i) => `${i + 1} ${i * 7} -1 ${(i * 37) % 400} ${1 + ((i * 13) % 8)}`);
  writeFileSync(small, `; MaxNodes: 8\n${jobs.join("\n")}\n`);
  const written: string[] = [];
  for (const name of ["one", "other"]) {
    const output = join(folder, name);
    expect((await run("-i", small, "-o", output)).code).toBe(0);
    for (const file of [
      "report.html",
      "metrics.json",
      "jobs-fcfs.csv",
      "jobs-easy.csv",
      "jobs-conservative.csv",
      "jobs-lattice.csv",
    ]) {
      written.push(readFileSync(join(output, file), "utf8"));
    }
  }
  expect(written.slice(0, 6)).toEqual(written.slice(6));
});

test("a wrong command line or file is an error that says what to do", async () => {
  writeFileSync(join(folder, "bad.swf"), "this is no trace\n");
  writeFileSync(join(folder, "bad.swf.gz"), new Uint8Array([0x1f, 0x8b, 1, 2, 3]));
  expect(await run("--inptu", "x")).toMatchObject({ code: 2, err: expect.stringContaining("did you mean --input?") });
  expect(await run("-i", join(folder, "none.swf"))).toMatchObject({ code: 2, err: expect.stringContaining("no file") });
  expect(await run("-i", TRACE, "-m", "easy,best")).toMatchObject({ code: 2, err: expect.stringContaining('"best"') });
  const typo = await run("-i", TRACE, "-w", "hpc-bach");
  expect(typo).toMatchObject({ code: 2, err: expect.stringContaining("did you mean hpc-batch?") });
  writeFileSync(join(folder, "weights.json"), '{"priority": 1, "wait_time": -1}');
  const negative = await run("-i", TRACE, "-w", join(folder, "weights.json"));
  expect(negative).toMatchObject({ code: 3, err: expect.stringContaining("wait_time is -1") });
  const bad = await run("-i", join(folder, "bad.swf"), "--nodes", "4");
  expect(bad).toMatchObject({ code: 3, err: expect.stringContaining("line 1 is no job in SWF") });
  const damaged = await run("-i", join(folder, "bad.swf.gz"), "--nodes", "4");
  expect(damaged).toMatchObject({ code: 3, err: expect.stringContaining("damaged") });
});

test("two replays are compared figure by figure", async () => {
  const [one, other] = ["one", "other"].map((name) => join(folder, name, "metrics.json"));
  const same = await run("compare", one ?? "", other ?? "");
  expect(same.code).toBe(0);
  expect(same.out).toMatch(/^POLICY +FIGURE +A +B +CHANGE/);
  expect(same.out).not.toMatch(/better|worse/);
  for (const name of ["easy", "fcfs"]) {
    await run("-i", join(folder, "small.swf"), "-m", name, "-o", join(folder, `only-${name}`));
  }
  const files = ["fcfs", "easy"].map((name) => join(folder, `only-${name}`, "metrics.json"));
  const { out } = await run("compare", ...files);
  expect(out).toMatch(/fcfs\/easy +mean wait, s .* -\d+\.\d % +better/);
  expect(await run("compare", TRACE, TRACE)).toMatchObject({
    code: 3,
    err: expect.stringContaining("holds no metrics"),
  });
  expect(await run("compare", "only-one.json")).toMatchObject({ code: 2 });
});
