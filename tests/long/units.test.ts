/**
 * Shows the tarballs, packages and units under a real systemd, in a guest of its own: installed as
 * the guide says, started, reloaded, hung, killed and stopped. What the guest must find to
 * hold it says line by line; this test wants all of it. Needs qemu-system-x86 and
 * mmdebstrap; says so and passes over where they are missing.
 */
import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../../scripts/binaries.ts";
import { release } from "../../scripts/release.ts";
import { ARCHITECTURES } from "../../scripts/release-contents.ts";

const ROOT = join(import.meta.dir, "../..");
const BINARIES = ["lattice-server", "lattice-agent", "lattice"];
const SCRIPT = "tests/long/units-guest.sh";
/** What the guest has to find to hold. */
const claims = [...readFileSync(join(ROOT, SCRIPT), "utf8").matchAll(/^ok "/gm)].length;
const missing = ["qemu-system-x86_64", "mmdebstrap", "mke2fs"].filter((program) => Bun.which(program) === null);
if (missing.length > 0) console.log(`left out: the guest needs ${missing.join(", ")}`);

function sh(command: readonly string[], env: Record<string, string> = {}): string {
  const run = Bun.spawnSync([...command], { cwd: ROOT, env: { ...process.env, ...env }, stderr: "inherit" });
  if (run.exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${run.exitCode}: ${run.stdout.toString()}`);
  return run.stdout.toString();
}

test.skipIf(missing.length > 0)(
  "the units start, reload, survive what breaks, keep work running and stop, under a real systemd",
  async () => {
    const folder = process.env.LATTICE_TEST_GUEST ?? mkdtempSync(join(tmpdir(), "guest-"));
    const out = mkdtempSync(join(tmpdir(), "lattice-units-"));
    await release({ out, architectures: ARCHITECTURES.slice(0, 1), binaries: BINARIES });
    const guest = ["bash", "scripts/guest.sh", folder];
    if (!existsSync(join(folder, "vmlinuz"))) sh([...guest, "build"]);
    const tarballs = BINARIES.map((name) => join(out, `${name}-x86_64.tar.gz`));
    const packages = BINARIES.slice(0, 2).map((name) => join(out, `${name}_${version()}_amd64.deb`));
    const said = sh([...guest, "run", SCRIPT, ...tarballs, ...packages], { LIMIT: "1200" });
    rmSync(out, { recursive: true });
    console.log(said);
    const lines = said.split("\n");
    expect(lines.filter((line) => line.startsWith("FAILED"))).toEqual([]);
    expect(lines.filter((line) => line.startsWith("OK")).length).toBe(claims);
  },
  1_800_000,
);
