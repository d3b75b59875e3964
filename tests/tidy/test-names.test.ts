/** Shows that every test that a table of docs/ names is there: what stands in back quotes in the last column. */
import { expect, test } from "bun:test";
import { files } from "./sources.ts";

/** The pages, the first words of their tables' heads, and how many tests each names at least. */
const PAGES = [
  { path: "docs/security.md", head: "| Attempt", least: 30 },
  { path: "docs/faults.md", head: "| Fault", least: 25 },
] as const;
const sources = files("tests/**/*.test.ts");

test.each(PAGES)("every test that a table of $path names exists", ({ path, head, least }) => {
  const page = files(path)[0]?.text ?? "";
  const tested = [...page.matchAll(/`(tests\/[\w/.-]+\.test\.ts)`/g)].map((m) => m[1] ?? "");
  const rows = page.split("\n").filter((line) => line.startsWith("| ") && !line.startsWith(head));
  const named = rows.flatMap((row) =>
    [...(row.split(" | ").at(-1) ?? "").matchAll(/`([^`]+)`/g)].map((m) => m[1] ?? ""),
  );
  expect(tested.filter((file) => !sources.some((source) => source.path === file))).toEqual([]);
  expect(named.length).toBeGreaterThanOrEqual(least);
  expect(named.filter((name) => !sources.some(({ text }) => text.includes(`"${name}`)))).toEqual([]);
});
