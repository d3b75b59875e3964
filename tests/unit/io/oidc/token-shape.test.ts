/** Shows which outlines of tokens are read at all, before any signature is looked at. */
import { expect, test } from "bun:test";
import { whyMisshapen } from "../../../../src/io/oidc/token-shape.ts";

const part = (json: string) => Buffer.from(json).toString("base64url");
const token = (payload: string, header = '{"alg":"RS256"}') => `${part(header)}.${part(payload)}.c2ln`;
const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;

test("an ordinary token passes", () => {
  expect(whyMisshapen(token('{"sub":"ann","realm_access":{"roles":["a"]}}'))).toBeUndefined();
});

test.each(["", ".", "..", "a.b", "a.b.c.d", "a.b.c.d.e", "a b.c.d", "a+/.b.c", `${part("{}")}..`])(
  "%p is no token",
  (text) => {
    expect(whyMisshapen(text)).toContain("not a well-formed");
  },
);

test("ten levels of nesting pass, eleven do not, in payload and header", () => {
  expect(whyMisshapen(token(nested(10)))).toBeUndefined();
  expect(whyMisshapen(token(nested(11)))).toContain("10 levels");
  expect(whyMisshapen(token("{}", nested(11)))).toContain("10 levels");
});

test("brackets inside text do not count, not even behind an escaped quote", () => {
  expect(whyMisshapen(token(JSON.stringify({ a: `"${"[".repeat(50)}\\` })))).toBeUndefined();
  expect(whyMisshapen(token(`{"a":"\\\\","b":${nested(10)}}`))).toContain("10 levels");
});

test("the deepest nesting that fits into a header is refused at once", () => {
  expect(whyMisshapen(token("[".repeat(6_000)))).toContain("10 levels");
});

test("a long header is refused", () => {
  expect(whyMisshapen(token("{}", JSON.stringify({ x: "y".repeat(2_048) })))).toContain("header is longer");
});
