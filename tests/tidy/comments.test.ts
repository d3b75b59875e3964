/** Shows that every file says first what it owns, and every export of src/ what it is. */
import { expect, test } from "bun:test";
import { basename } from "node:path";
import { CODE, type SourceFile, SRC } from "./sources.ts";

const EXPORT = /^export (?:declare |abstract |async )*(?:const|function\*?|class|interface|type) (\w+)/;

/** Returns whether the file opens with a comment; a script's first line may name its interpreter. */
export const hasHeader = ({ text }: SourceFile): boolean => /^(?:#!.*\n)?\/(?:\*\*|\/ )/.test(text);

/**
 * Returns "path:line name" of every export without a doc comment. Exports without a blank
 * line between them share the comment above them, so do overloads, and what a file is
 * named after is explained by the file's header.
 */
export function undocumented({ path, text }: SourceFile): string[] {
  const lines = text.split("\n");
  const main = basename(path, ".ts").replaceAll("-", "");
  const documented = new Set<string>();
  let isShared = false;
  return lines.flatMap((line, i) => {
    const name = EXPORT.exec(line)?.[1];
    if (line === "") isShared = false;
    if (name === undefined) return [];
    isShared ||= /\*\/\s*$/.test(lines[i - 1] ?? "") || documented.has(name) || name.toLowerCase() === main;
    if (isShared) documented.add(name);
    return isShared ? [] : [`${path}:${i + 1} ${name}`];
  });
}

test("every file opens with what it owns", () => {
  expect(CODE.filter((file) => !hasHeader(file)).map((f) => f.path)).toEqual([]);
});

test("every export is documented", () => {
  expect(SRC.flatMap(undocumented)).toEqual([]);
});

test("no comment promises work or keeps dead code", () => {
  const broken = CODE.filter(({ path }) => !path.startsWith("tests/tidy/")).flatMap(({ path, text }) =>
    text
      .split("\n")
      .flatMap((line, i) => (/\/\/ ?(TODO|FIXME|XXX)\b|^\s*\/\/.*;\s*$/.test(line) ? [`${path}:${i + 1}`] : [])),
  );
  expect(broken).toEqual([]);
});

test("the check notices", () => {
  expect(hasHeader({ path: "a.ts", text: "import x;" })).toBe(false);
  expect(undocumented({ path: "a.ts", text: "\nexport const x = 1;\n" })).toEqual(["a.ts:2 x"]);
  expect(undocumented({ path: "open-door.ts", text: "\nexport class OpenDoor {}\n" })).toEqual([]);
  expect(undocumented({ path: "a.ts", text: "/** X. */\nexport const x = 1;\n" })).toEqual([]);
});
