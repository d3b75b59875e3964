/**
 * Property: canonical text is JSON that says the same value, and equal values have equal
 * texts whatever order their fields were written in. Shown for random values, with texts
 * of every code unit, by comparing with JSON.stringify of the same value in sorted order.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { InvariantError } from "../../src/base/assert.ts";
import { canonicalEncode } from "../../src/base/canonical-encode.ts";
import { compareText } from "../../src/base/compare.ts";

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.constantFrom('"', "\\", "\u007f", "\u0000", "\ud800"),
);
const value = fc.jsonValue({ maxDepth: 3, stringUnit: "binary" });

/** Writes an object with sorted fields; whole numbers as keys are left to the encoder, which JSON cannot order. */
function sorted(of: unknown): unknown {
  if (Array.isArray(of)) return of.map(sorted);
  if (typeof of !== "object" || of === null) return Object.is(of, -0) ? 0 : of;
  const fields = Object.entries(of).toSorted(([a], [b]) => compareText(a, b));
  return Object.fromEntries(fields.map(([key, field]) => [key, sorted(field)]));
}

const reversed = (of: Readonly<Record<string, unknown>>) => Object.fromEntries(Object.entries(of).toReversed());
const isNumber = (key: string): boolean => String(Number.parseInt(key, 10)) === key;

describe("canonical text", () => {
  test("of a text is its JSON", () => {
    fc.assert(fc.property(text, (t) => canonicalEncode(t) === JSON.stringify(t)));
  });

  test("reads back as the value", () => {
    fc.assert(fc.property(value, (v) => expect(JSON.parse(canonicalEncode(v))).toEqual(sorted(v))));
  });

  test("has its fields in order and does not depend on the order they were written in", () => {
    const record = fc.dictionary(
      text.filter((key) => key !== "__proto__" && !isNumber(key)),
      text,
    );
    fc.assert(
      fc.property(record, (r) => {
        expect(canonicalEncode(r)).toBe(JSON.stringify(sorted(r)));
        expect(canonicalEncode(reversed(r))).toBe(canonicalEncode(r));
      }),
    );
  });

  test("of a value with its fields in order is its JSON, and that of any other order the same", () => {
    fc.assert(
      fc.property(value, (v) => {
        const inOrder = canonicalEncode(v);
        expect(canonicalEncode(JSON.parse(inOrder))).toBe(inOrder);
        expect(canonicalEncode(sorted(v))).toBe(inOrder);
      }),
    );
  });

  test.each([[Number.NaN], [Number.POSITIVE_INFINITY], [undefined], [() => 1], [1n]])(
    "is refused where JSON would have another value: %p",
    (stray) => {
      expect(() => canonicalEncode([stray])).toThrow(InvariantError);
      expect(() => canonicalEncode({ a: 1, b: [{ c: stray }, stray] })).toThrow(InvariantError);
    },
  );

  test("leaves out fields that are undefined and knows one zero", () => {
    expect(canonicalEncode({ a: undefined, b: { c: undefined }, d: -0 })).toBe('{"b":{},"d":0}');
    expect(canonicalEncode({ d: -0, b: { c: undefined }, a: undefined })).toBe('{"b":{},"d":0}');
  });
});
