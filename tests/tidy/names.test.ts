/** Shows that files are named after what they hold: kebab-case, and none of the words that hold anything. */
import { expect, test } from "bun:test";
import { basename } from "node:path";
import { CODE } from "./sources.ts";

const EMPTY_WORDS = /^(utils?|common|helpers?|misc|types|managers?|services?|impl|index|shared|lib)$/;

/** Returns why a path is badly named, or undefined. */
export function badName(path: string): string | undefined {
  const name = basename(path).replace(/(\.test)?\.ts$/, "");
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) return `${path}: not kebab-case`;
  const word = path
    .replace(/\.ts$/, "")
    .split("/")
    .find((part) => EMPTY_WORDS.test(part));
  return word === undefined ? undefined : `${path}: "${word}" says nothing of what is inside`;
}

test("files and folders have telling names in kebab-case", () => {
  expect(CODE.flatMap(({ path }) => badName(path) ?? [])).toEqual([]);
});

test("the check notices", () => {
  expect(badName("src/core/utils.ts")).toContain("says nothing");
  expect(badName("src/helpers/x.ts")).toContain("says nothing");
  expect(badName("src/core/applyLoop.ts")).toContain("kebab");
  expect(badName("src/core/apply-loop.ts")).toBeUndefined();
});
