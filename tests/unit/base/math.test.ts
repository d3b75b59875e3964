/**
 * Shows that the functions agree with the library of this machine to a few units in the
 * last place, and with known values to the bit, which is what all machines must give.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { cos, exp, exp2, ln } from "../../../src/base/math.ts";
import { holds } from "../../fixtures/property-runs.ts";

/** Of the greater one: a dozen units in the last place. */
const CLOSE = 3e-15;

function expectClose(actual: number, expected: number, least = 0): void {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(CLOSE * Math.max(Math.abs(expected), least));
}

test("exp is the exponential function", () => {
  holds(fc.property(fc.double({ min: -700, max: 700, noNaN: true }), (x) => expectClose(exp(x), Math.exp(x))));
  expect([exp(0), exp(710), exp(-800), exp(Number.NEGATIVE_INFINITY)]).toEqual([1, Number.POSITIVE_INFINITY, 0, 0]);
});

test("ln is the natural logarithm", () => {
  const positive = fc.double({ min: 1e-300, max: 1e300, noNaN: true });
  holds(fc.property(positive, (x) => expectClose(ln(x), Math.log(x), 1e-3)));
  expect([ln(1), ln(0), ln(-1), ln(Number.POSITIVE_INFINITY)]).toEqual([
    0,
    Number.NEGATIVE_INFINITY,
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ]);
});

test("ln undoes exp", () => {
  holds(fc.property(fc.double({ min: -300, max: 300, noNaN: true }), (x) => expectClose(ln(exp(x)), x, 1)));
});

test("cos is the cosine from no turn to half a turn", () => {
  holds(fc.property(fc.double({ min: 0, max: Math.PI, noNaN: true }), (x) => expectClose(cos(x), Math.cos(x), 1)));
});

test("exp2 is exact where the exponent is whole, and halves are what is left of half-lives", () => {
  for (const k of [-1022, -10, -1, 0, 1, 52, 1023]) expect(exp2(k)).toBe(2 ** k);
  holds(fc.property(fc.double({ min: -60, max: 60, noNaN: true }), (x) => expectClose(exp2(x), 2 ** x, 1e-300)));
});

test("the bits are those of every machine", () => {
  const bits = (x: number): string =>
    Buffer.from(new Float64Array([x]).buffer)
      .reverse()
      .toString("hex");
  expect([exp(1), exp(-0.3), ln(10), ln(1 + 1 / 3600), cos(1), cos(2.5), exp2(-0.5)].map(bits)).toMatchInlineSnapshot(`
    [
      "4005bf0a8b145768",
      "3fe7b4c869c37c04",
      "40026bb1bbb55516",
      "3f3233b0cd07398f",
      "3fe14a280fb5068b",
      "bfe9a2f7ef858b7f",
      "3fe6a09e667f3bcc",
    ]
  `);
});
