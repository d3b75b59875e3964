/** Shows that imports under src/ follow the table of layers.ts, and that there are no import cycles. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { Glob } from "bun";
import { LAYERS, PACKAGES } from "./layers.ts";

const SRC = join(import.meta.dir, "../../src");
const IMPORT = /(?:^|[\s;}])(?:from|import)\s*\(?\s*["']([^"']+)["']/g;

const within = (path: string, folder: string) => path === folder || path.startsWith(`${folder}/`);
const layerOf = (path: string) =>
  Object.keys(LAYERS)
    .filter((l) => within(path, l))
    .sort((a, b) => b.length - a.length)[0];
const importsOf = (text: string) => [...text.matchAll(IMPORT)].map((m) => m[1] ?? "");
const resolve = (file: string, target: string) => relative(SRC, join(SRC, dirname(file), target));

/** Returns one sentence per forbidden import in `text`, the source of `file` (a path below src/). */
export function violations(file: string, text: string): string[] {
  const layer = layerOf(file);
  if (layer === undefined) return [`${file}: no row in LAYERS`];
  return importsOf(text).flatMap((target) => {
    if (target.startsWith(".")) {
      const to = resolve(file, target);
      const allowed = [layer, ...(LAYERS[layer] ?? [])].some((l) => within(to, l));
      return allowed ? [] : [`${file}: ${layer} may not import ${to}`];
    }
    const owners = PACKAGES.find(([pattern]) => pattern.test(target))?.[1] ?? [];
    return owners.some((l) => within(file, l)) ? [] : [`${file}: ${target} belongs to ${owners.join(", ")}`];
  });
}

/** Returns the first import cycle as a readable path, or undefined. */
export function cycle(graph: ReadonlyMap<string, readonly string[]>): string | undefined {
  const done = new Set<string>();
  const walk = (at: string, trail: readonly string[]): string | undefined => {
    if (trail.includes(at)) return [...trail.slice(trail.indexOf(at)), at].join(" -> ");
    if (done.has(at)) return undefined;
    for (const next of graph.get(at) ?? []) {
      const found = walk(next, [...trail, at]);
      if (found) return found;
    }
    done.add(at);
    return undefined;
  };
  for (const file of graph.keys()) {
    const found = walk(file, []);
    if (found) return found;
  }
  return undefined;
}

const sources = new Map(
  [...new Glob("**/*.ts").scanSync(SRC)].sort().map((f) => [f, readFileSync(join(SRC, f), "utf8")]),
);

test("imports point one way", () => {
  expect(sources.size).toBeGreaterThan(0);
  expect([...sources].flatMap(([file, text]) => violations(file, text))).toEqual([]);
});

test("no import cycles", () => {
  const graph = new Map(
    [...sources].map(([f, text]) => [
      f,
      importsOf(text)
        .filter((t) => t.startsWith("."))
        .map((t) => resolve(f, t)),
    ]),
  );
  expect(cycle(graph)).toBeUndefined();
});

test("the check notices", () => {
  expect(violations("core/raft/log.ts", `import type { X } from "../state/apply.ts"`)).toHaveLength(1);
  expect(violations("core/state/apply.ts", `import { Database } from "bun:sqlite"`)).toHaveLength(1);
  expect(violations("engine/server/loop.ts", `const m = await import("../../io/sqlite/log-store.ts")`)).toHaveLength(1);
  expect(violations("core/slurm/parse.ts", `import _ from "lodash"`)).toHaveLength(1);
  expect(violations("misc/x.ts", "")).toHaveLength(1);
  expect(
    cycle(
      new Map([
        ["a", ["b"]],
        ["b", ["a"]],
      ]),
    ),
  ).toBe("a -> b -> a");
});
