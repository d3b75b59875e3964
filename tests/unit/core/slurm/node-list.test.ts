/** Shows that a compressed node list always expands to the list it was made of, in its order. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { compressNodeList, expandNodeList } from "../../../../src/core/slurm/node-list.ts";

const name = fc
  .tuple(
    fc.constantFrom("n", "nid", "gpu-a", "x1c0b", "login"),
    fc.option(fc.stringMatching(/^[0-9]{1,4}$/), { nil: "" }),
  )
  .map(([prefix, digits]) => prefix + digits);

test("expanding undoes compressing", () => {
  fc.assert(
    fc.property(fc.array(name, { maxLength: 30 }), (names) => {
      expect(expandNodeList(compressNodeList(names))).toEqual({ ok: true, value: names });
    }),
    { seed: 1, numRuns: 300 },
  );
});

test("a run of nodes takes one range however long it is", () => {
  const names = Array.from({ length: 9_000 }, (_, i) => `nid${String(i + 1).padStart(6, "0")}`);
  expect(compressNodeList(names)).toBe("nid[000001-009000]");
});
