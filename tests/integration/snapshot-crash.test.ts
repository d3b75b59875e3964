/**
 * Shows that a member killed at any moment while it puts a snapshot in place starts with a
 * sound log and the state that belongs to it: the old one or the new one, never a mixture,
 * with real processes and files.
 */
import { expect, test } from "bun:test";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { logIndex, term } from "../../src/base/brand.ts";
import { canonicalEncode } from "../../src/base/canonical-encode.ts";
import type { SnapshotMeta } from "../../src/core/raft/raft-types.ts";
import type { Row } from "../../src/core/state/table.ts";
import { snapshotChunks } from "../../src/io/snapshot/snapshot-chunks.ts";
import { finishStagedSnapshot, stagedSnapshotPath } from "../../src/io/snapshot/staging.ts";
import { createLogStore, openLogStore } from "../../src/io/sqlite/log-store.ts";
import { openMirrorCut } from "../../src/io/sqlite/mirror-cut.ts";
import { openStateMirror } from "../../src/io/sqlite/state-mirror.ts";
import { aNewLog, entriesOf, upTo, votersWith } from "../fixtures/raft-entries.ts";
import { TempDir } from "../fixtures/temp-dir.ts";

const TAKER = join(import.meta.dir, "../fixtures/snapshot-taker.ts");
const OLD = upTo(9);
const NEW: SnapshotMeta = {
  index: logIndex(5_000),
  term: term(4),
  membership: { index: logIndex(40), membership: votersWith(1, 2, 3) },
};
const OLD_COUNT = 500;
const NEW_COUNT = 5_000;

function rows(count: number, state: string): readonly Row[] {
  return Array.from({ length: count }, (_, i) => {
    const id = `${String(i).padStart(8, "0")}-aaaa-4000-8000-000000000000`;
    const spec = { tenant: "red", vcluster: "batch", name: `work ${i}` };
    const text = canonicalEncode({ id, shortId: i + 1, user: "ann", state, spec });
    return { table: "allocations", id, text, isLive: i % 5 === 0 };
  });
}

/** A member with an old state and a log of ten entries, and the bytes of a newer snapshot. */
async function prepare(temp: TempDir): Promise<{ readonly old: string; readonly snapshot: string }> {
  const old = temp.join("old");
  const store = createLogStore(old, aNewLog(3));
  const hardState = { term: term(1), votedFor: undefined, commit: logIndex(9) };
  store.persist({ hardState, truncateFrom: undefined, entries: entriesOf(2, 10, 1) });
  store.close();
  const mirror = openStateMirror({ dir: old, clusterId: "c1" });
  await mirror.write(rows(OLD_COUNT, "completed"), OLD);
  await mirror.close();
  const leader = openStateMirror({ dir: temp.join("leader"), clusterId: "c1" });
  await leader.write(rows(NEW_COUNT, "failed"), NEW);
  await leader.close();
  const cut = openMirrorCut(temp.join("leader"));
  writeFileSync(temp.join("snapshot"), Buffer.concat([...snapshotChunks(cut)]));
  cut.close();
  return { old, snapshot: temp.join("snapshot") };
}

/** Starts the member again and says what it has. */
function restarted(dir: string): string {
  finishStagedSnapshot(dir);
  const store = openLogStore(dir, 1);
  const { shape } = store.load();
  store.close();
  const cut = openMirrorCut(dir);
  const states = new Set<string>();
  let count = 0;
  for (const { text = "{}" } of cut.rows()) {
    count += 1;
    states.add(JSON.parse(text).state);
  }
  const { index } = cut.applied;
  cut.close();
  return `log ${shape.compactedIndex}-${shape.lastIndex}, state ${index}: ${count} ${[...states]}`;
}

const BEFORE = `log 0-10, state 9: ${OLD_COUNT} completed`;
const AFTER = `log 5000-5000, state 5000: ${NEW_COUNT} failed`;

test("a member killed while it takes a snapshot in has the old state or the new one", async () => {
  using temp = new TempDir();
  const { old, snapshot } = await prepare(temp);
  let hasInstalled = 0;
  for (let round = 0; round < 12; round++) {
    const dir = temp.join(`round-${round}`);
    mkdirSync(dir);
    for (const file of ["log.db", "state.db"]) copyFileSync(join(old, file), join(dir, file));
    const path = stagedSnapshotPath(dir, NEW);
    copyFileSync(snapshot, path);
    const taker = Bun.spawn([process.execPath, TAKER, dir, path], { stdout: "pipe", stderr: "inherit" });
    let said = "";
    for await (const chunk of taker.stdout) {
      said += new TextDecoder().decode(chunk);
      // The first rounds die at a step, the others somewhere in the replacement.
      const isDue = round < 2 ? said.includes("opened") : said.includes("installed");
      if (!isDue) continue;
      await Bun.sleep(round < 2 ? round : (round - 2) * 12);
      taker.kill("SIGKILL");
    }
    await taker.exited;
    const result = restarted(dir);
    expect([BEFORE, AFTER]).toContain(result);
    if (said.includes("installed")) {
      hasInstalled += 1;
      expect(result).toBe(AFTER);
    }
    expect(restarted(dir)).toBe(result);
  }
  expect(hasInstalled).toBeGreaterThanOrEqual(10);
}, 120_000);
