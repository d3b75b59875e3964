/**
 * Builds dist/{lattice-server,lattice-agent,lattice,rm-replay}: one file each, with version and
 * commit stamped in, which read neither .env nor bunfig.toml. A binary whose sources have
 * not changed is left alone.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BINARIES, commit, compile } from "./binaries.ts";
import { ensureInstalled, ROOT } from "./workspace.ts";

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
    compile({ name, outfile: join(DIST, name) });
    writeFileSync(mark, stamp);
    return true;
  });
}

/** Returns a hash of all that goes into the binaries. */
function sourceStamp(): string {
  const hash = createHash("sha256").update(`${Bun.version} ${commit()}`);
  const paths = [...new Bun.Glob("src/**/*").scanSync(ROOT), "package.json", "bun.lock", "scripts/binaries.ts"];
  for (const path of paths.toSorted()) hash.update(path).update(readFileSync(join(ROOT, path)));
  return hash.digest("hex");
}

if (import.meta.main) {
  const started = Date.now();
  const built = buildBinaries();
  const seconds = ((Date.now() - started) / 1_000).toFixed(1);
  console.log(built.length === 0 ? "dist/ is up to date." : `Built ${built.join(", ")} in dist/ in ${seconds} s.`);
}
