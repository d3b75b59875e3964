/** Shows how times, amounts and paragraphs read. */
import { expect, test } from "bun:test";
import { pairs, wrap } from "../../../src/base/columns.ts";
import { bytes, moment, span } from "../../../src/cli/render/text.ts";

test("spans read as squeue's", () => {
  const seconds = [0, 5, 65, 754, 3_723, 45_000, 93_784];
  expect(seconds.map((s) => span(s * 1000))).toEqual([
    "0:00",
    "0:05",
    "1:05",
    "12:34",
    "1:02:03",
    "12:30:00",
    "1-02:03:04",
  ]);
});

test("bytes have the unit that keeps them short", () => {
  const amounts = [0, 1023, 1024, 1536, 10 * 1024, 512 * 1024 ** 3, 3 * 1024 ** 4, 5 * 1024 ** 5];
  expect(amounts.map(bytes)).toEqual(["0 B", "1023 B", "1 KiB", "1.5 KiB", "10 KiB", "512 GiB", "3 TiB", "5120 TiB"]);
});

test("a moment that never was is a dash", () => {
  expect(moment(undefined)).toBe("-");
});

test("lines are broken between words and never inside one", () => {
  expect(wrap("one two three", 8, "  ")).toEqual(["  one", "  two", "  three"]);
  expect(wrap("incomprehensibilities", 8)).toEqual(["incomprehensibilities"]);
});

test("second columns hang under themselves", () => {
  expect(
    pairs(
      [
        ["a", "one two"],
        ["bbb", "x"],
      ],
      11,
    ),
  ).toEqual(["  a    one", "       two", "  bbb  x"]);
});
