/** Shows which GPUs a share gets: whole ones, and for a part the fullest that has room. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { takeGpus, wholeGpus, withoutGpus } from "../../../../src/core/domain/resources.ts";
import { aCapacity } from "../../../fixtures/builders.ts";
import { holds } from "../../../fixtures/property-runs.ts";

test.each([
  ["nothing", [1_000], 0, []],
  ["one whole", [400, 1_000], 1_000, [{ device: 1, milli: 1_000 }]],
  ["a part of the fullest that has room", [1_000, 300, 500], 400, [{ device: 2, milli: 400 }]],
  ["a part that no used one has", [1_000, 300], 400, [{ device: 0, milli: 400 }]],
  [
    "whole ones and a part",
    [1_000, 600, 1_000],
    1_500,
    [
      { device: 1, milli: 500 },
      { device: 0, milli: 1_000 },
    ],
  ],
  ["more than is whole", [1_000, 999], 2_000, undefined],
  ["a part that is there only in pieces", [400, 400], 800, undefined],
])("%s", (_name, free, gpuMilli, expected) => {
  expect(takeGpus(free, gpuMilli)).toEqual(expected);
});

test("a node has as many as its capacity says", () => {
  expect(wholeGpus(aCapacity({ gpuMilli: 3_000 }))).toEqual([1_000, 1_000, 1_000]);
});

test("no GPU gives more than it has, and what is taken is what was asked for", () => {
  const free = fc.array(fc.integer({ min: 0, max: 1_000 }), { maxLength: 8 });
  holds(
    fc.property(free, fc.integer({ min: 0, max: 4_000 }), (all, gpuMilli) => {
      const shares = takeGpus(all, gpuMilli);
      if (!shares) return;
      expect(shares.reduce((sum, { milli }) => sum + milli, 0)).toBe(gpuMilli);
      expect(Math.min(0, ...withoutGpus(all, shares))).toBe(0);
      expect(new Set(shares.map(({ device }) => device)).size).toBe(shares.length);
    }),
  );
});
