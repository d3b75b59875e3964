/** Runs spec-walk.sh on five machines, with the tarballs served as a release is: over HTTP. */
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { layOut } from "../../../scripts/release-archive.ts";
import { ARCHITECTURES, tarballContents } from "../../../scripts/release-contents.ts";
import { ROOT } from "../../../scripts/workspace.ts";
import { HOST_ADDRESS, type MachineKind, Machines } from "./machines.ts";

const MACHINES = ["lattice-01", "lattice-02", "lattice-03", "nid001234", "nid001235"];

export interface SpecWalk {
  readonly kind: MachineKind;
  /** Folders of tarballs: what is installed, and what it is upgraded to. */
  readonly from: string;
  readonly to: string;
  /** What the binaries of the latter say after their name. */
  readonly version: string;
}

/** Follows the specification and returns what was printed on the way. */
export async function walkSpecification({ kind, from, to, version }: SpecWalk) {
  const machines = await Machines.start(kind, MACHINES);
  const served: Readonly<Record<string, string>> = { from, to };
  const server = Bun.serve({
    hostname: HOST_ADDRESS,
    port: 0,
    fetch(request) {
      const [, folder = "", file = ""] = new URL(request.url).pathname.split("/");
      return new Response(Bun.file(join(served[folder] ?? "/nonexistent", file)));
    },
  });
  try {
    const url = `http://${HOST_ADDRESS}:${server.port}`;
    const script = join(import.meta.dir, "spec-walk.sh");
    const walk = Bun.spawn([script, machines.entrance(), `${url}/from`, `${url}/to`, version], {
      stdio: ["ignore", "pipe", "inherit"],
      timeout: 300_000,
    });
    const [transcript, exitCode] = await Promise.all([new Response(walk.stdout).text(), walk.exited]);
    return { transcript, exitCode };
  } finally {
    await server.stop(true);
    await machines.stop();
  }
}

/** Returns what the binaries of a folder say after their name. */
export function versionOf(dist: string): string {
  const said = Bun.spawnSync([join(dist, "lattice-server"), "--version"]).stdout.toString();
  return said.trim().slice("lattice-server ".length);
}

/**
 * Packs the binaries of a folder as a release does, quickly, with the files of the checkout `root`;
 * returns the folder of tarballs, which the caller removes.
 */
export async function packDist(dist: string, root = ROOT): Promise<string> {
  const out = mkdtempSync(join(tmpdir(), "lattice-tarballs-"));
  const machine = ARCHITECTURES.find(({ target }) => target.includes(process.arch))?.name ?? "x86_64";
  for (const name of ["lattice-server", "lattice-agent", "lattice"]) {
    const folder = mkdtempSync(join(out, "pack-"));
    layOut(folder, await tarballContents(name));
    // The list of files is this checkout's; an earlier one has its own text of them.
    if (root !== ROOT) Bun.spawnSync(["cp", "-r", join(root, "infra"), join(root, "config"), folder]);
    copyFileSync(join(dist, name), join(folder, name));
    chmodSync(join(folder, name), 0o755);
    const tar = Bun.spawnSync([
      "tar",
      "-I",
      "gzip -1",
      "-cf",
      join(out, `${name}-${machine}.tar.gz`),
      "-C",
      folder,
      ".",
    ]);
    if (tar.exitCode !== 0) throw new Error(`tar ended with ${tar.exitCode}: ${tar.stderr.toString()}`);
    rmSync(folder, { recursive: true });
  }
  return out;
}
