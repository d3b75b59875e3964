/**
 * Builds dist/{lattice-server,lattice-agent,lattice,rm-replay}: one file each, with version and
 * commit stamped in, which read neither .env nor bunfig.toml. A binary whose sources have
 * not changed is left alone.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensureInstalled, ROOT } from "./workspace.ts";

/** The binaries and what each is built from; the first file is the entry, the others are its Workers. */
const BINARIES: Readonly<Record<string, readonly string[]>> = {
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

const DIST = join(ROOT, "dist");

/** Builds what is out of date and returns the names of what was built. */
export function buildBinaries(): readonly string[] {
  ensureInstalled("all");
  mkdirSync(DIST, { recursive: true });
  const stamp = sourceStamp();
  return Object.keys(BINARIES).filter((name) => {
    const mark = join(DIST, `.${name}.stamp`);
    if (existsSync(join(DIST, name)) && existsSync(mark) && readFileSync(mark, "utf8") === stamp) return false;
    rmSync(mark, { force: true });
    compile(name);
    writeFileSync(mark, stamp);
    return true;
  });
}

function compile(name: string): void {
  const flags = [
    ["--compile", "--minify", "--bytecode", "--format=esm", "--sourcemap"],
    ["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"],
    ["--define", `LATTICE_VERSION=${JSON.stringify(version())}`],
    ["--define", `LATTICE_COMMIT=${JSON.stringify(commit())}`],
    [...(BINARIES[name] ?? []), "--outfile", join(DIST, name)],
  ].flat();
  const build = Bun.spawnSync([process.execPath, "build", ...flags], { cwd: ROOT });
  if (build.exitCode === 0) return;
  console.error(build.stdout.toString() + build.stderr.toString());
  console.error(`${name} could not be built: see above.`);
  process.exit(1);
}

/** Returns a hash of all that goes into the binaries. */
function sourceStamp(): string {
  const hash = createHash("sha256").update(`${Bun.version} ${commit()}`);
  const paths = [...new Bun.Glob("src/**/*").scanSync(ROOT), "package.json", "bun.lock", "scripts/build.ts"];
  for (const path of paths.toSorted()) hash.update(path).update(readFileSync(join(ROOT, path)));
  return hash.digest("hex");
}

function version(): string {
  const manifest: { readonly version: string } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  return manifest.version;
}

/** An unpacked source archive has no git: the stamp then says so. */
function commit(): string {
  if (Bun.which("git") === null) return "unknown";
  const head = Bun.spawnSync(["git", "rev-parse", "--short=12", "HEAD"], { cwd: ROOT, stderr: "ignore" });
  return head.exitCode === 0 ? head.stdout.toString().trim() : "unknown";
}

if (import.meta.main) {
  const started = Date.now();
  const built = buildBinaries();
  const seconds = ((Date.now() - started) / 1_000).toFixed(1);
  console.log(built.length === 0 ? "dist/ is up to date." : `Built ${built.join(", ")} in dist/ in ${seconds} s.`);
}
