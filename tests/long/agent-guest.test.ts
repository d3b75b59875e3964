/**
 * Limits that only a kernel with every cgroup v2 controller has, shown in a guest of its
 * own: a workload that takes too much memory dies alone, one that forks without end meets
 * its bound, nothing survives a kill, and an agent restarted by systemd adopts its work.
 * Needs qemu-system-x86 and mmdebstrap; says so and passes over where they are missing.
 */
import { beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");
const NEEDED = ["qemu-system-x86_64", "mmdebstrap", "mke2fs"];
const missing = NEEDED.filter((program) => Bun.which(program) === null);
if (missing.length > 0) console.log(`left out: the guest needs ${missing.join(", ")}`);

const findings = new Map<string, Record<string, unknown>>();
let console_ = "";

function sh(command: readonly string[], env: Record<string, string> = {}): string {
  const run = Bun.spawnSync([...command], { cwd: ROOT, env: { ...process.env, ...env }, stderr: "inherit" });
  if (run.exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${run.exitCode}: ${run.stdout.toString()}`);
  return run.stdout.toString();
}

beforeAll(() => {
  if (missing.length > 0) return;
  const folder = process.env.LATTICE_TEST_GUEST ?? mkdtempSync(join(tmpdir(), "guest-"));
  const harness = join(mkdtempSync(join(tmpdir(), "harness-")), "guest-harness");
  const flags = ["--compile", "--minify", "--format=esm", "--outfile", harness];
  sh([process.execPath, "build", ...flags, "tests/long/guest-harness.ts"]);
  const guest = ["bash", "scripts/guest.sh", folder];
  if (!existsSync(join(folder, "vmlinuz"))) sh([...guest, "build"]);
  console_ = sh([...guest, "run", "tests/long/agent-guest.sh", harness], { LIMIT: "400" });
  for (const [, mode = "", json = "{}"] of console_.matchAll(/^FINDINGS (\w+) (.*)$/gm)) {
    findings.set(mode, JSON.parse(json));
  }
}, 900_000);

test.skipIf(missing.length > 0)("each limit of a claim is set on the workload's control group", () => {
  expect(findings.get("limits")).toMatchObject({
    controllers: ["memory", "pids", "cpu"],
    files: ["100663296", "24", "100000 100000", "1"],
  });
});

test.skipIf(missing.length > 0)("a workload over its memory is ended whole and says so; another goes on", () => {
  expect(findings.get("limits")).toMatchObject({
    hungryExit: { cause: "out_of_memory" },
    hungryOutput: "",
    isBystanderAlive: true,
  });
});

test.skipIf(missing.length > 0)(
  "a workload cannot start more processes than its bound, and a kill takes them all",
  () => {
    expect(findings.get("limits")?.forked).toBe(24);
    expect(findings.get("limits")?.left).toBe("0");
  },
);

test.skipIf(missing.length > 0)(
  "an agent that systemd starts again adopts its workload and reports its true end",
  () => {
    expect(findings.get("serve")).toEqual({
      state: "running",
      exit: { exitCode: 5, cause: "exited" },
      output: "one\ntwo\n",
    });
    expect(console_).toContain("unit: success");
  },
);
