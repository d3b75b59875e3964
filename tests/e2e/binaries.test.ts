/**
 * Shows that the built binaries know their version, take nothing from the folder they are
 * started in, and refuse a wrong command line or configuration with the file's line.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const DIST = join(import.meta.dir, "../../dist");
const folder = mkdtempSync(join(tmpdir(), "lattice-binaries-"));

beforeAll(() => {
  writeFileSync(join(folder, ".env"), "LATTICE_LOG_LEVEL=nonsense\nLATTICE_SERVER=http://from.dotenv:1\n");
  writeFileSync(join(folder, "bunfig.toml"), 'preload = ["./planted.ts"]\n');
  writeFileSync(join(folder, "planted.ts"), 'console.log("planted code ran");\n');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(program: string, ...args: readonly string[]) {
  const env = { PATH: process.env.PATH, HOME: folder };
  const child = Bun.spawnSync([join(DIST, program), ...args], { cwd: folder, env });
  return { code: child.exitCode, out: child.stdout.toString(), err: child.stderr.toString() };
}

test.each(["lattice-server", "lattice-agent", "lattice"])("%s says its version", (program) => {
  const { code, out } = run(program, "--version");
  expect(out).toMatch(/^\S+ \d+\.\d+\.\d+/);
  expect(code).toBe(0);
});

test("neither .env nor bunfig.toml of the working directory is read", () => {
  const { out, code } = run("lattice-server", "config", "check");
  expect(out).not.toContain("planted");
  expect(out).not.toContain("nonsense");
  expect(code).toBe(0);
  expect(run("lattice", "status", "--timeout", "1s").err).not.toContain("from.dotenv");
});

test("config check names the file, the line and the nearest key, and leaves with the code of a wrong configuration", () => {
  const file = join(folder, "c.yaml");
  writeFileSync(file, "quorum: {}\napi:\n  rest_adress: 127.0.0.1:1\nstorage: {}\ntelemetry: {}\n");
  const { code, out } = run("lattice-server", "config", "check", "--config", file);
  expect(out).toContain(`${file}:3: unknown key api.rest_adress; nearest: api.rest_address`);
  expect(code).toBe(2);
});

test.each(["lattice-server", "lattice-agent"])("%s refuses an unknown flag", (program) => {
  const { code, err } = run(program, "--versoin");
  expect(err).toContain("--version");
  expect(code).toBe(2);
});
