/** The command line's output: what cannot be written is an error that says so, never a silent loss or a bug. */
import { expect, test } from "bun:test";
import { openSync } from "node:fs";
import { join } from "node:path";

const ENTRY = join(import.meta.dir, "../../../src/bin/lattice.ts");

test("output that a full device does not take is an error with its reason", () => {
  const full = openSync("/dev/full", "w");
  const ran = Bun.spawnSync([process.execPath, ENTRY, "--help"], { stdout: full, stderr: "pipe" });
  expect(ran.exitCode).not.toBe(0);
  const words = ran.stderr.toString();
  expect(words).toContain("the output cannot be written: ENOSPC");
  expect(words).not.toContain("bug");
});
