/**
 * Names the code that a simulation ran: a hash over every source file that the simulator
 * loads, itself included, so that "so many seeds were clean" says of which code.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const ENTRY = join(import.meta.dir, "../../src/sim/simulation.ts");
const HASH_LENGTH = 12;

/** The sources of a simulation. */
export interface SourceHash {
  readonly hash: string;
  readonly files: number;
}

/** Returns the hash over the paths and texts of whatever is loaded from the simulator on. */
export function hashSources(entry = ENTRY): SourceHash {
  const transpiler = new Bun.Transpiler({ loader: "ts" });
  const root = dirname(dirname(entry));
  const texts = new Map<string, string>();
  const pending = [entry];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const name = relative(root, path);
    if (texts.has(name)) continue;
    const text = readFileSync(path, "utf8");
    texts.set(name, text);
    for (const { path: to } of transpiler.scanImports(text)) {
      if (to.startsWith(".")) pending.push(join(dirname(path), to));
    }
  }
  const sum = createHash("sha256");
  for (const name of [...texts.keys()].toSorted()) sum.update(`${name}\0${texts.get(name)}\0`);
  return { hash: sum.digest("hex").slice(0, HASH_LENGTH), files: texts.size };
}
