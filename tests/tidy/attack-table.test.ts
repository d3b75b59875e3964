/** Shows that every test that docs/security.md names is there, in a file that the page names. */
import { expect, test } from "bun:test";
import { files } from "./sources.ts";

const page = files("docs/security.md")[0]?.text ?? "";
const paths = new Set([...page.matchAll(/`(tests\/[\w/.-]+\.test\.ts)`/g)].map((m) => m[1] ?? ""));

/** Names of tests: what stands in back quotes in the last column of a table. */
const named = page
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| Attempt"))
  .flatMap((line) => [...(line.split(" | ").at(-1) ?? "").matchAll(/`([^`]+)`/g)].map((m) => m[1] ?? ""));

test("every test of the attack table exists", () => {
  const sources = files("tests/**/*.test.ts").filter(({ path }) => paths.has(path));
  expect(sources.length).toBe(paths.size);
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter((name) => !sources.some(({ text }) => text.includes(`"${name}`)))).toEqual([]);
});
