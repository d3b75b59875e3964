/**
 * Shows that the README's first command works: on a copy of the repository it runs the
 * batch script, returns the script's exit code, keeps its state, ends its processes, and
 * refuses to run twice at the same time.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");
const COPIED = ["src", "scripts", "config", "examples", "package.json", "bun.lock", "bunfig.toml"];
const copy = mkdtempSync(join(tmpdir(), "lattice-quickstart-"));

beforeAll(() => {
  for (const name of COPIED) cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
});

afterAll(() => rmSync(copy, { recursive: true, force: true }));

const start = (...args: readonly string[]) =>
  Bun.spawn([process.execPath, "scripts/quickstart.ts", ...args], { cwd: copy, stdio: ["ignore", "pipe", "pipe"] });

async function outcomeOf(run: ReturnType<typeof start>) {
  const [out, err] = await Promise.all([new Response(run.stdout).text(), new Response(run.stderr).text()]);
  return { code: await run.exited, out, err };
}

test("quickstart --exit prints the script's output and how it ended", async () => {
  const { code, out, err } = await outcomeOf(start("--exit"));
  expect(err).toBe("");
  expect(code).toBe(0);
  expect(out).toMatch(/Hello from job 1 \(hello\)/);
  expect(out).toMatch(/Job 1 completed \(exit code 0\)/);
  expect(out.split("\n").filter((line) => line.length > 80)).toEqual([]);
});

test("the exit code is the script's, and the state of the first run is still there", async () => {
  const script = join(copy, "examples/hello.sh");
  const text = readFileSync(script, "utf8");
  writeFileSync(script, "#!/bin/sh\necho oh no\nexit 7\n");
  const { code, out } = await outcomeOf(start("--exit"));
  writeFileSync(script, text);
  expect(code).toBe(7);
  expect(out).toMatch(/Job 2 failed \(exit code 7\)/);
});

test("a second quickstart says that one is running; a signal ends the first with all it started", async () => {
  const first = start();
  const claim = join(copy, ".lattice/quickstart.json");
  const pids = (): number[] => {
    if (!existsSync(claim)) return [];
    const { children }: { readonly children: readonly { readonly pid: number }[] } = JSON.parse(
      readFileSync(claim, "utf8") || '{"children":[]}',
    );
    return children.map((child) => child.pid);
  };
  while (pids().length < 2) await Bun.sleep(20);
  const started = pids();
  const second = await outcomeOf(start("--exit"));
  expect(second.code).toBe(1);
  expect(second.err).toContain(`runs from this folder already (process ${first.pid}`);
  first.kill("SIGTERM");
  await first.exited;
  expect(started.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
  expect(existsSync(claim)).toBe(false);
});

test("an argument that it does not know is refused", async () => {
  const { code, out } = await outcomeOf(start("--exits"));
  expect(code).toBe(2);
  expect(out).toContain("unknown argument --exits");
});
