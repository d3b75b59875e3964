/** Shows that an index list names each of its indices once, ascending, and survives being written. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatRanges, parseArraySpec } from "../../../../src/core/slurm/array-spec.ts";

const item = fc
  .record({ start: fc.nat(60), length: fc.nat(20), step: fc.integer({ min: 1, max: 5 }) })
  .map(({ start, length, step }) => ({ start, end: start + length, step }));

const indicesOf = (ranges: readonly { start: number; end: number; step: number }[]): readonly number[] =>
  ranges.flatMap(({ start, end, step }) => {
    const indices: number[] = [];
    for (let i = start; i <= end; i += step) indices.push(i);
    return indices;
  });

test("the indices are those written, each once, ascending", () => {
  fc.assert(
    fc.property(fc.array(item, { minLength: 1, maxLength: 6 }), (items) => {
      const parsed = parseArraySpec(items.map(({ start, end, step }) => `${start}-${end}:${step}`).join(","));
      const expected = [...new Set(indicesOf(items))].toSorted((a, b) => a - b);
      expect(parsed.ok && indicesOf(parsed.value.ranges)).toEqual([...expected]);
      expect(parsed.ok && parseArraySpec(formatRanges(parsed.value.ranges))).toEqual(parsed);
    }),
    { seed: 1, numRuns: 300 },
  );
});
