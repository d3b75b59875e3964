/** Shows that rows come out of their packed form as they went in, whatever characters are in them. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Row } from "../../../../src/core/state/table.ts";
import { packRows, unpackRows } from "../../../../src/io/sqlite/packed-rows.ts";

const text = fc.string({ unit: "binary" });
const row: fc.Arbitrary<Row> = fc.record({
  table: text,
  id: text,
  text: fc.option(text, { nil: undefined }),
  isLive: fc.boolean(),
});

test("rows, gone and empty ones too, are the same after the way to another thread", () => {
  fc.assert(
    fc.property(fc.array(row), (rows) => {
      expect(unpackRows(structuredClone(packRows(rows)))).toEqual(rows);
    }),
  );
});
