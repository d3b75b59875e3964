/**
 * The binaries that Lattice is made of and how one is compiled. The one list: the build, the
 * release and their tests read it.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./workspace.ts";

/** What each is built from; the first file is the entry, the others are its Workers. */
export const BINARIES: Readonly<Record<string, readonly string[]>> = {
  "lattice-server": [
    "src/bin/lattice-server.ts",
    "src/bin/workers/raft-worker.ts",
    "src/bin/workers/mirror-worker.ts",
    "src/bin/workers/backup-worker.ts",
    "src/bin/workers/snapshot-worker.ts",
  ],
  "lattice-agent": ["src/bin/lattice-agent.ts"],
  lattice: ["src/bin/lattice.ts"],
  "rm-replay": ["src/bin/rm-replay.ts"],
};

/** What is compiled, for which machine, into which file. */
export interface CompileOptions {
  readonly name: string;
  readonly outfile: string;
  /** A target of `bun build --compile`; this machine's when absent. */
  readonly target?: string;
  /** The Bun of that target, where it must not be fetched. */
  readonly runtime?: string;
}

/** Compiles a binary with version and commit stamped in. It reads neither .env nor bunfig.toml. Leaves with 1 when it cannot. */
export function compile({ name, outfile, target, runtime }: CompileOptions): void {
  const flags = [
    ["--compile", "--minify", "--bytecode", "--format=esm", "--sourcemap"],
    ["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"],
    ["--define", `LATTICE_VERSION=${JSON.stringify(version())}`],
    ["--define", `LATTICE_COMMIT=${JSON.stringify(commit())}`],
    target === undefined ? [] : [`--target=${target}`],
    runtime === undefined ? [] : [`--compile-executable-path=${runtime}`],
    [...(BINARIES[name] ?? []), "--outfile", outfile],
  ].flat();
  const build = Bun.spawnSync([process.execPath, "build", ...flags], { cwd: ROOT });
  if (build.exitCode === 0) return;
  console.error(build.stdout.toString() + build.stderr.toString());
  console.error(`${name} could not be built: see above.`);
  process.exit(1);
}

/** Returns the version of this checkout. */
export function version(): string {
  const manifest: { readonly version: string } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  return manifest.version;
}

/** Returns the commit of this checkout. An unpacked source archive has none: LATTICE_COMMIT may name it. */
export function commit(): string {
  return process.env.LATTICE_COMMIT ?? git("rev-parse", "--short=12", "HEAD") ?? "unknown";
}

/** Returns when this commit was made, in seconds since the epoch: the date of everything in a release. SOURCE_DATE_EPOCH wins. */
export function commitTime(): number {
  return Number(process.env.SOURCE_DATE_EPOCH ?? git("log", "-1", "--format=%ct") ?? 0);
}

function git(...args: readonly string[]): string | undefined {
  if (Bun.which("git") === null) return undefined;
  const run = Bun.spawnSync(["git", ...args], { cwd: ROOT, stderr: "ignore" });
  return run.exitCode === 0 ? run.stdout.toString().trim() : undefined;
}
