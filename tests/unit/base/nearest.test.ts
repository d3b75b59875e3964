/** Shows that a mistyped name finds what it meant, and a strange one finds nothing. */
import { expect, test } from "bun:test";
import { nearest } from "../../../src/base/nearest.ts";

test("a dropped, added, changed or swapped letter finds the name", () => {
  const names = ["walltime", "nodes", "tenant"];
  expect(["waltime", "walltimes", "wolltime", "wlaltime"].map((w) => nearest(w, names))).toEqual(
    Array(4).fill("walltime"),
  );
});

test("a part of a name finds it", () => {
  expect(nearest("issuer", ["api.oidc_issuer"])).toBe("api.oidc_issuer");
});

test("something else finds nothing", () => {
  expect(nearest("xyzzy", ["nodes", "tenant"])).toBeUndefined();
});
