/** Shows that an invariant named anywhere is explained in docs/invariants.md, stated in src/ and guarded by a test. */
import { expect, test } from "bun:test";
import { CODE, files, type SourceFile, SRC } from "./sources.ts";

const ID = /\bINV-[A-Z]+\d+\b/g;
const idsIn = (sources: readonly SourceFile[]) => new Set(sources.flatMap(({ text }) => text.match(ID) ?? []));

const explained = idsIn(files("docs/invariants.md"));
const stated = idsIn(SRC);
const guarded = new Set(
  [...CODE, ...files("tests/golden/**/*.txt")]
    .filter(({ path }) => path.startsWith("tests/") && !path.startsWith("tests/tidy/"))
    .flatMap(({ text }) => [...text.matchAll(/(?:test|it)\w*(?:\.\w+\([^)]*\))?\(\s*["'`]([^"'`]*)|^# (.*)$/gm)])
    .flatMap((m) => (m[1] ?? m[2] ?? "").match(ID) ?? []),
);

test("an invariant that src/ states or a test names is in the document", () => {
  expect([...new Set([...stated, ...guarded])].filter((id) => !explained.has(id))).toEqual([]);
});

test("an invariant in the document is stated in src/ and named by a test", () => {
  const missing = [...explained].flatMap((id) => [
    ...(stated.has(id) ? [] : [`${id} is not stated in src/`]),
    ...(guarded.has(id) ? [] : [`${id} is named by no test`]),
  ]);
  expect(missing).toEqual([]);
});
