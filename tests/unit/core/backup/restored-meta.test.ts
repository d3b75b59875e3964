/** Shows that a restore moves the epoch and the short ids past everything known, whatever the clock says. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { millis } from "../../../../src/base/brand.ts";
import { EMPTY_HASH } from "../../../../src/base/hash.ts";
import { restoredMeta } from "../../../../src/core/backup/restored-meta.ts";

const meta = (restoreEpoch: number, nextShortId: number) => ({
  clusterId: "old",
  nextShortId,
  restoreEpoch,
  time: millis(5),
  archivedCount: 0,
  archivedHash: EMPTY_HASH,
});
const number = fc.nat({ max: 2_000_000_000 });

test("epoch and short ids are beyond those of the backup and of the data that is replaced", () => {
  fc.assert(
    fc.property(number, number, number, number, number, (epoch, next, seconds, oldEpoch, oldNext) => {
      const replaced = { restoreEpoch: oldEpoch, nextShortId: oldNext };
      const after = restoredMeta(meta(epoch, next), { seconds, replaced });
      expect(after.restoreEpoch).toBeGreaterThan(Math.max(epoch, oldEpoch));
      expect(after.nextShortId).toBeGreaterThanOrEqual(Math.max(next, oldNext) + 1_000_000);
      expect(after).toMatchObject({ clusterId: "old", time: millis(5) });
    }),
  );
});

test("where the replaced data is gone, the time makes the epoch grow", () => {
  const first = restoredMeta(meta(1, 1), { seconds: 1_000 });
  const second = restoredMeta(meta(1, 1), { seconds: 1_001 });
  expect(second.restoreEpoch).toBeGreaterThan(first.restoreEpoch);
  expect(first.nextShortId).toBe(2_000_000);
});
