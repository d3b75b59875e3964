/** The files that the tidy tests look at, as path (below the repository) and text, in order. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";

/** The repository's root. */
export const ROOT = join(import.meta.dir, "../..");

/** One file. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Returns the files that match any of the patterns. */
export function files(...patterns: readonly string[]): readonly SourceFile[] {
  const paths = patterns.flatMap((pattern) => [...new Glob(pattern).scanSync({ cwd: ROOT, dot: true })]);
  return [...new Set(paths)].sort().map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
}

/** The code of the product, without what is generated. */
export const SRC: readonly SourceFile[] = files("src/**/*.ts").filter(({ path }) => !path.startsWith("src/gen/"));

/** All code that people write: the product, its tests and its scripts. */
export const CODE: readonly SourceFile[] = [...SRC, ...files("tests/**/*.ts", "scripts/**/*.ts")];

/** Returns `text` with comments and the contents of strings blanked, line for line. */
export function bare(text: string): string {
  return text.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g,
    (part) => part.replace(/[^\n]/g, " "),
  );
}

/** Returns "path:line" of every match of `pattern` in the bare text of `source`. */
export function matches({ path, text }: SourceFile, pattern: RegExp): string[] {
  const code = bare(text);
  return [...code.matchAll(pattern)].map((m) => `${path}:${code.slice(0, m.index).split("\n").length}`);
}
