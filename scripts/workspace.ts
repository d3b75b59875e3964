/**
 * What every script needs of this checkout: its root, its dependencies, its tools. Uses
 * nothing from node_modules, which may not be there yet, and never a `bun` or `node` from
 * the path, which may be missing: everything runs under the Bun that runs the script.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** The checkout's root. */
export const ROOT = join(import.meta.dir, "..");

/** The tools that the scripts run, by the file that Bun executes. */
const TOOLS = {
  biome: "node_modules/@biomejs/biome/bin/biome",
  buf: "node_modules/@bufbuild/buf/bin/buf",
  tsc: "node_modules/typescript/bin/tsc",
} as const;

/** What is installed: everything, or only what the product runs on. */
export type InstallScope = "all" | "product";

const MARK = join(ROOT, "node_modules/.lattice-installed");

/** Installs from the lock file unless that is done already; says so only when it takes time. */
export function ensureInstalled(scope: InstallScope): void {
  const wanted = createHash("sha256")
    .update(readFileSync(join(ROOT, "bun.lock")))
    .update(readFileSync(join(ROOT, "package.json")))
    .digest("hex");
  const present = existsSync(MARK) ? readFileSync(MARK, "utf8").trim() : "";
  if (present === `all ${wanted}` || present === `${scope} ${wanted}`) return;
  console.error("Installing dependencies from bun.lock…");
  // What somebody installed by hand is completed, never cut down.
  const installs = scope === "product" && !existsSync(join(ROOT, "node_modules")) ? "product" : "all";
  const flags = installs === "product" ? ["--production"] : [];
  const install = Bun.spawnSync([process.execPath, "install", "--frozen-lockfile", ...flags], { cwd: ROOT });
  if (install.exitCode !== 0) {
    console.error(install.stdout.toString() + install.stderr.toString());
    console.error("Dependencies could not be installed: see above.");
    process.exit(1);
  }
  writeFileSync(MARK, `${installs} ${wanted}\n`);
}

/** What a tool said. */
export interface ToolRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one of the tools in the root and returns what it said. */
export function runTool(tool: keyof typeof TOOLS, args: readonly string[]): ToolRun {
  const shim = Bun.which("node") === null ? nodeShim() : undefined;
  const path = [join(ROOT, "node_modules/.bin"), ...(shim === undefined ? [] : [shim]), process.env.PATH ?? ""];
  try {
    const run = Bun.spawnSync([process.execPath, join(ROOT, TOOLS[tool]), ...args], {
      cwd: ROOT,
      env: { ...process.env, PATH: path.join(delimiter) },
    });
    return { exitCode: run.exitCode, stdout: run.stdout.toString(), stderr: run.stderr.toString() };
  } finally {
    if (shim !== undefined) rmSync(shim, { recursive: true });
  }
}

/** A folder with a `node` that is Bun, for plugins that begin with "#!/usr/bin/env node". */
function nodeShim(): string {
  const folder = mkdtempSync(join(tmpdir(), "lattice-node-"));
  symlinkSync(process.execPath, join(folder, "node"));
  return folder;
}
