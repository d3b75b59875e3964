/**
 * Shows that a release is what the specification names: eight tarballs with what the
 * installation copies, packages, checksums that hold, a bill of materials that lists what
 * is in the binaries, binaries that say which build they are on both machines, and the
 * same bytes when it is made again. The other machine's binaries run under qemu-user, where
 * that and its libraries are installed.
 */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../../scripts/binaries.ts";
import { release } from "../../scripts/release.ts";
import { ARCHITECTURES, tarballNames } from "../../scripts/release-contents.ts";

setDefaultTimeout(600_000);

/** What the binaries say; the checkout may move on while this runs. */
const COMMIT = "0123456789ab";
const PROGRAMS = ["lattice-server", "lattice-agent", "lattice", "rm-replay"];
const ARM_LIBRARIES = "/usr/aarch64-linux-gnu";
const hasEmulator = Bun.which("qemu-aarch64-static") !== null && existsSync(ARM_LIBRARIES);
const hasDebs = Bun.which("dpkg-deb") !== null;
if (!hasEmulator) {
  console.log("left out: arm64 needs qemu-user-static libc6-arm64-cross libstdc++6-arm64-cross libgcc-s1-arm64-cross");
}

const out = mkdtempSync(join(tmpdir(), "lattice-release-test-"));
let files: readonly string[] = [];

beforeAll(async () => {
  process.env.LATTICE_COMMIT = COMMIT;
  files = await release({ out });
}, 600_000);

function sh(command: readonly string[], cwd = out): string {
  const run = Bun.spawnSync([...command], { cwd });
  if (run.exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${run.exitCode}: ${run.stderr}`);
  return run.stdout.toString();
}

/** Unpacks a tarball as the specification does and returns the folder. */
function unpacked(tarball: string): string {
  const folder = mkdtempSync(join(out, "unpacked-"));
  sh(["tar", "xzf", join(out, tarball)], folder);
  return folder;
}

test("the eight tarballs have the names of the specification", () => {
  const named = PROGRAMS.flatMap((name) => [`${name}-x86_64.tar.gz`, `${name}-arm64.tar.gz`]);
  expect([...tarballNames()].toSorted()).toEqual(named.toSorted());
  expect(files).toEqual(expect.arrayContaining(named));
});

test("each file is the one that SHA256SUMS says", () => {
  sh(["sha256sum", "--check", "--strict", "SHA256SUMS"]);
  const listed = readFileSync(join(out, "SHA256SUMS"), "utf8").trimEnd().split("\n");
  expect(listed.map((line) => line.split("  ")[1])).toEqual(files.filter((name) => name !== "SHA256SUMS").toSorted());
});

test("each tarball has its binary at the top, the licences, and what the installation copies", () => {
  const beside: Readonly<Record<string, readonly string[]>> = {
    "lattice-server": ["infra/systemd/lattice-server.service", "infra/systemd/lattice.conf", "config/production.yaml"],
    "lattice-agent": ["infra/systemd/lattice-agent.service", "infra/systemd/lattice-agent.env"],
    lattice: ["completions/lattice.bash", "completions/lattice.zsh", "completions/lattice.fish"],
    "rm-replay": [],
  };
  for (const { name: machine } of ARCHITECTURES) {
    for (const name of PROGRAMS) {
      const listed = sh(["tar", "tvzf", `${name}-${machine}.tar.gz`])
        .trimEnd()
        .split("\n");
      const paths = listed.map((line) => line.split(/\s+/)[5]);
      expect(paths).toEqual(expect.arrayContaining([name, "LICENSE", "THIRD_PARTY_LICENSES", ...(beside[name] ?? [])]));
      expect(listed.every((line) => /^[-d]rw\S+ 0\/0 /.test(line))).toBe(true);
      expect(listed.find((line) => line.endsWith(` ${name}`))).toStartWith("-rwxr-xr-x");
    }
  }
});

test("each binary of this machine says its version and commit", () => {
  for (const name of PROGRAMS) {
    const folder = unpacked(`${name}-x86_64.tar.gz`);
    expect(sh([join(folder, name), "--version"])).toBe(`${name} ${version()} (${COMMIT})\n`);
    rmSync(folder, { recursive: true });
  }
});

test.skipIf(!hasEmulator)("each binary of the other machine starts there and says so too", () => {
  for (const name of PROGRAMS) {
    const folder = unpacked(`${name}-arm64.tar.gz`);
    const said = sh(["qemu-aarch64-static", "-L", ARM_LIBRARIES, join(folder, name), "--version"]);
    expect(said).toBe(`${name} ${version()} (${COMMIT})\n`);
    rmSync(folder, { recursive: true });
  }
});

test("the configuration of the tarball starts a server: nothing in it is wrong", () => {
  const folder = unpacked("lattice-server-x86_64.tar.gz");
  sh([join(folder, "lattice-server"), "config", "check", "--config", join(folder, "config/production.yaml")]);
  rmSync(folder, { recursive: true });
});

test("the bill of materials lists what is in the binaries, each with its checksum and licence, and nothing of the tests", () => {
  const { bomFormat, components } = JSON.parse(readFileSync(join(out, "lattice-sbom.cdx.json"), "utf8"));
  expect(bomFormat).toBe("CycloneDX");
  const named = new Map<string, { readonly hashes?: readonly unknown[]; readonly licenses?: readonly unknown[] }>(
    components.map((each: { readonly name: string }) => [each.name, each]),
  );
  for (const name of ["bun", "elysia", "@connectrpc/connect", "jose", "prom-client"])
    expect(named.has(name)).toBe(true);
  for (const name of ["typescript", "oidc-provider", "@biomejs/biome"]) expect(named.has(name)).toBe(false);
  for (const [name, { hashes, licenses }] of named) {
    if (name !== "bun") expect(hashes).toHaveLength(1);
    expect(licenses).toHaveLength(1);
  }
});

test.skipIf(!hasDebs)("the packages hold the binary, the unit that starts it, and their configuration", () => {
  for (const { debian } of ARCHITECTURES) {
    const server = sh(["dpkg-deb", "--contents", `lattice-server_${version()}_${debian}.deb`]);
    const paths = ["usr/bin/lattice-server", "lib/systemd/system/lattice-server.service", "etc/lattice/config.yaml"];
    for (const path of paths) expect(server).toContain(` ./${path}\n`);
    expect(server).toStartWith("drwxr-xr-x root/root");
    const control = sh(["dpkg-deb", "--field", `lattice_${version()}_${debian}.deb`]);
    expect(control).toContain(`Architecture: ${debian}\n`);
  }
  const folder = mkdtempSync(join(out, "deb-"));
  sh(["dpkg-deb", "--extract", `lattice-agent_${version()}_amd64.deb`, folder]);
  const unit = readFileSync(join(folder, "lib/systemd/system/lattice-agent.service"), "utf8");
  expect(unit).toContain("\nExecStart=/usr/bin/lattice-agent\n");
});

test("the same sources give the same bytes", async () => {
  const [first = "", second = ""] = await Promise.all(
    ["first-", "second-"].map(async (name) => {
      const folder = mkdtempSync(join(tmpdir(), `lattice-release-${name}`));
      await release({ out: folder, architectures: ARCHITECTURES.slice(0, 1), binaries: ["rm-replay"] });
      const sums = readFileSync(join(folder, "SHA256SUMS"), "utf8");
      rmSync(folder, { recursive: true });
      return sums;
    }),
  );
  expect(first).toContain("rm-replay-x86_64.tar.gz");
  expect(second).toBe(first);
}, 600_000);

test("nothing else is left in the folder of a release", () => {
  const names = readdirSync(out).filter((name) => !name.startsWith("unpacked-") && !name.startsWith("deb-"));
  expect(names.toSorted()).toEqual([...files].toSorted());
  rmSync(out, { recursive: true });
});
