/**
 * Makes a release: for each machine the four binaries, a tarball of each with what its
 * installation needs, Debian packages, one bill of materials, and SHA256SUMS over all of it.
 *
 *   bun run release [--out FOLDER] [--arch x86_64|arm64] [--runtime-arm64 FILE] [--runtime-x86_64 FILE]
 *
 * The same commit gives the same files. Where Bun may not fetch the runtime of another
 * machine, --runtime-… names its executable, of the same version.
 */
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { BINARIES, commit, commitTime, compile, version } from "./binaries.ts";
import { checksumLine, layOut, packTarball } from "./release-archive.ts";
import type { Architecture } from "./release-contents.ts";
import { ARCHITECTURES, tarballContents } from "./release-contents.ts";
import { DEBS, packDeb } from "./release-deb.ts";
import { renderLicenses, renderSbom, shippedPackages } from "./release-sbom.ts";
import { ensureInstalled, ROOT } from "./workspace.ts";

/** What is to be made, and where. */
export interface ReleaseOptions {
  readonly out: string;
  readonly architectures?: readonly Architecture[];
  /** Names of binaries; all when absent. */
  readonly binaries?: readonly string[];
  /** Executables of Bun by the name of the machine. */
  readonly runtimes?: Readonly<Partial<Record<Architecture["name"], string>>>;
  readonly log?: (line: string) => void;
}

/** Makes a release and returns the names of its files. */
export async function release(options: ReleaseOptions): Promise<readonly string[]> {
  const { out, architectures = ARCHITECTURES, binaries = Object.keys(BINARIES), runtimes = {} } = options;
  const { log = () => {} } = options;
  ensureInstalled("all");
  mkdirSync(out, { recursive: true });
  const scratch = mkdtempSync(join(tmpdir(), "lattice-release-"));
  try {
    const facts = { version: version(), commit: commit(), time: commitTime() };
    const folder = (name: string, machine: string) => join(scratch, machine, name);
    for (const { name: machine, target } of architectures) {
      for (const name of binaries) {
        mkdirSync(folder(name, machine), { recursive: true });
        const runtime = runtimes[machine];
        compile({
          name,
          target,
          outfile: join(folder(name, machine), name),
          ...(runtime !== undefined && { runtime }),
        });
        log(`compiled ${name} for ${machine}`);
      }
    }
    const packages = shippedPackages(
      architectures.flatMap(({ name: machine }) => binaries.map((name) => folder(name, machine))),
    );
    const files: string[] = [];
    for (const architecture of architectures) {
      for (const name of binaries) {
        const binary = join(folder(name, architecture.name), name);
        const made = await pack({
          name,
          architecture,
          binary,
          licenses: renderLicenses(packages),
          out,
          scratch,
          ...facts,
        });
        files.push(...made);
        for (const file of made) log(`${file} ${(statSync(join(out, file)).size / 1e6).toFixed(1)} MB`);
      }
    }
    writeFileSync(join(out, "lattice-sbom.cdx.json"), renderSbom(packages, facts));
    files.push("lattice-sbom.cdx.json");
    writeFileSync(
      join(out, "SHA256SUMS"),
      files
        .toSorted()
        .map((name) => checksumLine(out, name))
        .join(""),
    );
    return [...files, "SHA256SUMS"];
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

interface PackRequest {
  readonly name: string;
  readonly architecture: Architecture;
  readonly binary: string;
  readonly licenses: string;
  readonly version: string;
  readonly time: number;
  readonly out: string;
  readonly scratch: string;
}

async function pack(request: PackRequest): Promise<readonly string[]> {
  const { name, architecture, binary, licenses, out, scratch, time } = request;
  const contents = new Map([...(await tarballContents(name)), ["THIRD_PARTY_LICENSES", { text: licenses }] as const]);
  const made = [`${name}-${architecture.name}.tar.gz`];
  if (name in DEBS) {
    const deb = `${name}_${request.version}_${architecture.debian}.deb`;
    const folder = mkdtempSync(join(scratch, "deb-"));
    packDeb({ ...request, tarball: contents, scratch: folder, to: join(out, deb) });
    rmSync(folder, { recursive: true });
    made.push(deb);
  }
  const folder = mkdtempSync(join(scratch, "tar-"));
  layOut(folder, contents);
  renameSync(binary, join(folder, name));
  packTarball(folder, join(out, made[0] ?? ""), time);
  rmSync(folder, { recursive: true });
  return made;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      out: { type: "string", default: join(ROOT, "dist/release") },
      arch: { type: "string", multiple: true },
      "runtime-x86_64": { type: "string" },
      "runtime-arm64": { type: "string" },
    },
  });
  const wanted = ARCHITECTURES.filter(({ name }) => values.arch === undefined || values.arch.includes(name));
  if (wanted.length === 0) throw new Error(`--arch is one of ${ARCHITECTURES.map(({ name }) => name).join(", ")}`);
  const started = Date.now();
  const x86 = values["runtime-x86_64"];
  const arm = values["runtime-arm64"];
  const files = await release({
    out: resolve(values.out),
    architectures: wanted,
    runtimes: { ...(x86 !== undefined && { x86_64: x86 }), ...(arm !== undefined && { arm64: arm }) },
    log: (line) => console.log(line),
  });
  console.log(`${files.length} files in ${values.out} in ${((Date.now() - started) / 1000).toFixed(0)} s`);
}
