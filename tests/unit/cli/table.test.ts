/** Shows that a table fits its width whenever it can, loses least first, and lets no control character through. */
import { expect, test } from "bun:test";
import { type Column, renderTable, shorten } from "../../../src/cli/render/table.ts";

interface Row {
  readonly id: string;
  readonly note: string;
  readonly count: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: "ID", value: (row) => row.id },
  { title: "NOTE", value: (row) => row.note, least: 6 },
  { title: "COUNT", value: (row) => row.count, isNumber: true, dropRank: 1 },
];

const ROW = { id: "12", note: "a rather long note", count: "7" };

test("without a width nothing is cut", () => {
  expect(renderTable([ROW], COLUMNS, undefined)).toBe("ID  NOTE                COUNT\n12  a rather long note      7\n");
});

test("flexible columns give way before any column is left out", () => {
  expect(renderTable([ROW], COLUMNS, 20)).toBe("ID  NOTE       COUNT\n12  a rather…      7\n");
  expect(renderTable([ROW], COLUMNS, 14)).toBe("ID  NOTE\n12  a rather …\n");
});

test("the width is that on the screen, not of the encoding", () => {
  const row = { id: "é", note: "日本語テキスト", count: "1" };
  for (const width of [15, 20, 40]) {
    for (const line of renderTable([row], COLUMNS, width).trimEnd().split("\n")) {
      expect(Bun.stringWidth(line)).toBeLessThanOrEqual(width);
    }
  }
  expect(shorten("日本語", 4)).toBe("日…");
});

test("a name cannot write to the terminal", () => {
  const row = { ...ROW, note: "x\u001b[2J\r\ny" };
  expect(renderTable([row], COLUMNS, undefined)).toContain("x?[2J??y");
});

test("paint goes round the text, not round the fill", () => {
  const painted: Column<Row> = { title: "ID", value: (row) => row.id, paint: (text) => `<${text}>` };
  expect(renderTable([ROW, { ...ROW, id: "1" }], [painted, ...COLUMNS.slice(2)], undefined)).toBe(
    "ID  COUNT\n<12>      7\n<1>       7\n",
  );
});
