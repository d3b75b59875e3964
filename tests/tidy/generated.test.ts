/** Shows that every generated file is what a fresh generation makes. */
import { expect, test } from "bun:test";
import { staleFiles } from "../../scripts/generate.ts";

test("generated files are fresh: bun run generate", async () => {
  expect(await staleFiles()).toEqual([]);
});
