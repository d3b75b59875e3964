/** Shows that an error's HTTP status is written in one table, core/domain/errors.ts, and nowhere else. */
import { expect, test } from "bun:test";
import { matches, SRC } from "./sources.ts";

/** A status compared, assigned or passed. */
const STATUS = /\b(?:status|statusCode|http)\w*["']?\s*(?:\(|[:=<>!]=*)\s*[345]\d\d\b/g;

test("no status number outside the error table", () => {
  const others = SRC.filter(({ path }) => path !== "src/core/domain/errors.ts");
  expect(others.flatMap((file) => matches(file, STATUS))).toEqual([]);
});

test("no bare number that looks like one in the API", () => {
  const api = SRC.filter(({ path }) => path.startsWith("src/api/"));
  expect(api.flatMap((file) => matches(file, /(?<![\w.])[45]\d\d(?![\w.])/g))).toEqual([]);
});

test("the check notices", () => {
  const found = (text: string) => matches({ path: "a.ts", text }, STATUS);
  expect(found("new Response(x, { status: 404 })")).toHaveLength(1);
  expect(found("if (response.status >= 500) return")).toHaveLength(1);
  expect(found("set.status = 422")).toHaveLength(1);
  expect(found("// status: 404")).toHaveLength(0);
});
