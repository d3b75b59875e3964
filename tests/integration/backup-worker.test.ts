/** Shows that a large backup is made in a thread of its own: the loop of the server goes on, and so do its writes. */
import { expect, test } from "bun:test";
import { millis } from "../../src/base/brand.ts";
import { canonicalEncode } from "../../src/base/canonical-encode.ts";
import { addHash, EMPTY_HASH } from "../../src/base/hash.ts";
import type { Row } from "../../src/core/state/table.ts";
import { rowHash } from "../../src/core/state/table.ts";
import { openWorkerBackups } from "../../src/io/backup/worker-backups.ts";
import { openStateMirror } from "../../src/io/sqlite/state-mirror.ts";
import { upTo } from "../fixtures/raft-entries.ts";
import { TempDir } from "../fixtures/temp-dir.ts";

const WORKER = new URL("../../src/bin/workers/backup-worker.ts", import.meta.url).href;
const HISTORY = 50_000;

const archivedRow = (i: number): Row => {
  const id = `00000000-0000-4000-8000-${String(i).padStart(12, "0")}`;
  const spec = { tenant: "default", vcluster: "default/batch", name: `work ${i}`, entrypoint: "x".repeat(400) };
  return {
    table: "allocations",
    id,
    isLive: false,
    text: canonicalEncode({ id, shortId: i, user: "ann", state: "completed", spec }),
  };
};

test("a backup of a long history neither stalls the loop nor holds up writes", async () => {
  using temp = new TempDir();
  const dataDir = temp.join("raft");
  const mirror = openStateMirror({ dir: dataDir, clusterId: "c" });
  let archivedHash = EMPTY_HASH;
  for (let from = 1; from <= HISTORY; from += 5_000) {
    const rows = Array.from({ length: 5_000 }, (_, i) => archivedRow(from + i));
    for (const { table, id, text = "" } of rows) archivedHash = addHash(archivedHash, rowHash(table, id, text));
    await mirror.write(rows, upTo(from));
  }
  const meta = { clusterId: "c", nextShortId: 1, restoreEpoch: 1, time: 0, archivedCount: HISTORY, archivedHash };
  await mirror.write([{ table: "meta", id: "meta", text: canonicalEncode(meta), isLive: true }], upTo(HISTORY));

  const backups = openWorkerBackups(WORKER, {
    dataDir,
    memberId: 1,
    members: [],
    location: temp.join("backups"),
    s3: {},
  });
  let ticks = 0;
  const beat = setInterval(() => {
    void mirror.write([{ table: "idempotency", id: "k", text: String(ticks), isLive: true }], upTo(HISTORY + ++ticks));
  }, 5);
  const { manifest, bytes } = await backups.create({ at: millis(Date.now()), version: "test" });
  clearInterval(beat);
  expect(manifest.counts.allocations).toBe(HISTORY);
  expect(manifest.index).toBeLessThan(HISTORY + ticks);
  expect(bytes).toBeGreaterThan(100_000);
  expect(ticks).toBeGreaterThan(5);
  const [made] = await backups.list();
  expect(await backups.verify(made?.path.split("/").at(-1) ?? "")).toMatchObject({ isValid: true });
  await mirror.close();
});

test("what the worker refuses comes back as the fault that it is", async () => {
  using temp = new TempDir();
  const backups = openWorkerBackups(WORKER, {
    dataDir: temp.join("none"),
    memberId: 1,
    members: [],
    location: temp.join("b"),
    s3: {},
  });
  const refused = await backups.create({ at: millis(0), version: "test" }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ name: "LatticeError", fault: { message: expect.stringContaining("state.db") } });
});
