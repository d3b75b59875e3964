/**
 * Shows that a snapshot carries the whole state to another data directory, that a damaged,
 * shortened or foreign one is refused and leaves the old state in place, and that a start
 * finishes a replacement which a crash interrupted at any point, on real files.
 */
import { describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { logIndex, term } from "../../src/base/brand.ts";
import { canonicalEncode } from "../../src/base/canonical-encode.ts";
import { LatticeError } from "../../src/core/domain/errors.ts";
import type { SnapshotMeta } from "../../src/core/raft/raft-types.ts";
import type { Row } from "../../src/core/state/table.ts";
import { CHUNK_BYTES_MAX, snapshotChunks } from "../../src/io/snapshot/snapshot-chunks.ts";
import { finishStagedSnapshot, stagedSnapshotPath } from "../../src/io/snapshot/staging.ts";
import { createLogStoreAt, createWaitingStore, openLogStore } from "../../src/io/sqlite/log-store.ts";
import { openMirrorCut } from "../../src/io/sqlite/mirror-cut.ts";
import { openStateMirror } from "../../src/io/sqlite/state-mirror.ts";
import { aNewLog, upTo, votersWith } from "../fixtures/raft-entries.ts";
import { TempDir } from "../fixtures/temp-dir.ts";

const END: SnapshotMeta = {
  index: logIndex(70),
  term: term(3),
  membership: { index: logIndex(60), membership: votersWith(1, 2, 3) },
};

const aRow = (n: number, isLive: boolean, pad = ""): Row => {
  const id = `${String(n).padStart(8, "0")}-aaaa-4000-8000-000000000000`;
  const spec = { tenant: "red", vcluster: "batch", name: `work ${n}` };
  const text = canonicalEncode({ id, shortId: n, user: "ann", state: "completed", spec, pad });
  return { table: "allocations", id, text, isLive };
};
/** Does not compress: 700 KiB are several chunks. */
const noise = () => Buffer.from(crypto.getRandomValues(new Uint8Array(65_536))).toString("base64");
const ROWS: readonly Row[] = [
  aRow(1, true),
  { table: "idempotency", id: 'tab\there "and" line\nend', text: "{}", isLive: true },
  { table: "nodes", id: "nöde", text: canonicalEncode({ name: "nöde", note: "tab\t end\n" }), isLive: true },
  ...Array.from({ length: 8 }, (_, i) => aRow(10 + i, i % 2 === 0, noise())),
  aRow(30, false),
];
const sorted = (rows: Iterable<Row>) => [...rows].sort((a, b) => (a.id < b.id ? -1 : 1));

/** Makes a state of cluster `clusterId` at END in a folder of its own, and returns its snapshot's bytes. */
async function aSnapshot(temp: TempDir, clusterId = "c1"): Promise<Uint8Array> {
  const dir = temp.join(`source-${clusterId}`);
  const mirror = openStateMirror({ dir, clusterId });
  await mirror.write(ROWS, END);
  const cut = openMirrorCut(dir);
  const chunks = [...snapshotChunks(cut)];
  cut.close();
  await mirror.close();
  expect(chunks.length).toBeGreaterThan(4);
  expect(Math.max(...chunks.map((chunk) => chunk.length))).toBeLessThanOrEqual(CHUNK_BYTES_MAX);
  return Buffer.concat(chunks);
}

/** A member whose state ends at entry 5, with the snapshot beside it. */
async function aFollower(temp: TempDir, bytes: Uint8Array, name = "follower") {
  const dir = temp.join(name);
  const mirror = openStateMirror({ dir, clusterId: "c1" });
  await mirror.write([aRow(1, true), aRow(2, true), aRow(3, false)], upTo(5));
  const path = stagedSnapshotPath(dir, END);
  writeFileSync(path, bytes);
  return { dir, mirror, path, snapshot: { meta: END, path } };
}

async function faultOf(work: () => unknown): Promise<string> {
  try {
    await work();
    return "none";
  } catch (error) {
    return error instanceof LatticeError ? `${error.fault.reason}: ${error.fault.message}` : String(error);
  }
}

function expectWhole(dir: string, rows: Iterable<Row>, applied: SnapshotMeta): void {
  const cut = openMirrorCut(dir);
  expect(cut.applied).toEqual(applied);
  expect(sorted(cut.rows())).toEqual(sorted(rows));
  cut.close();
}

describe("a snapshot", () => {
  test("puts every row, live and archived, and the end of the log in the place of the old ones", async () => {
    using temp = new TempDir();
    const { dir, mirror, snapshot, path } = await aFollower(temp, await aSnapshot(temp));
    mirror.stage([aRow(99, false)]);
    await mirror.replace(snapshot);
    expect(mirror.applied()).toEqual(END);
    expect(sorted(mirror.liveRows())).toEqual(sorted(ROWS.filter((row) => row.isLive)));
    expect(mirror.find("allocations", aRow(3, false).id)).toBeUndefined();
    expect(mirror.find("allocations", aRow(99, false).id)).toBeUndefined();
    expect(mirror.findByShortId(30)?.id).toBe(aRow(30, false).id);
    expect(mirror.archivedAllocations({ limit: 9 }).map((text) => JSON.parse(text).shortId)).toEqual([
      30, 17, 15, 13, 11,
    ]);
    expect(existsSync(path)).toBe(false);
    await mirror.write([aRow(40, true)], upTo(71));
    await mirror.close();
    expect(readdirSync(dir)).toEqual(["state.db"]);
    expectWhole(dir, [...ROWS, aRow(40, true)], upTo(71));
  });

  test("is taken while an older state is still being read", async () => {
    using temp = new TempDir();
    const { dir, mirror, snapshot } = await aFollower(temp, await aSnapshot(temp));
    const before = openMirrorCut(dir);
    await mirror.replace(snapshot);
    expect(sorted(before.rows()).length).toBe(3);
    before.close();
    await mirror.write([aRow(41, true)], upTo(72));
    await mirror.close();
    expectWhole(dir, [...ROWS, aRow(41, true)], upTo(72));
  });

  test("is taken by a member that has no cluster yet, and gives it one", async () => {
    using temp = new TempDir();
    const dir = temp.join("waiting");
    const bytes = await aSnapshot(temp);
    const mirror = openStateMirror({ dir, clusterId: "" });
    const path = stagedSnapshotPath(dir, END);
    writeFileSync(path, bytes);
    await mirror.replace({ meta: END, path });
    await mirror.close();
    expect(await faultOf(() => openStateMirror({ dir, clusterId: "c2" }))).toContain("belongs to cluster c1");
  });

  test.each<[string, (bytes: Uint8Array) => Uint8Array, string]>([
    ["cut short", (bytes) => bytes.subarray(0, -1), "it is cut short"],
    ["without its end", (bytes) => bytes.subarray(0, -49), "it is cut short"],
    ["empty", () => new Uint8Array(), "it is cut short"],
    ["longer than it was", (bytes) => Buffer.concat([bytes, new Uint8Array(1)]), "something follows its end"],
    ["another file", () => new TextEncoder().encode("something else ".repeat(99)), "a frame is damaged"],
  ])("that is %s is refused and the old state stays", async (_, change, reason) => {
    using temp = new TempDir();
    const { dir, mirror, snapshot, path } = await aFollower(temp, change(await aSnapshot(temp)));
    const message = `CORRUPT_LOG: ${path}: the snapshot cannot be used: ${reason}`;
    expect(await faultOf(() => mirror.replace(snapshot))).toBe(message);
    expect(mirror.applied()).toEqual(upTo(5));
    await mirror.write([aRow(4, true)], upTo(6));
    await mirror.close();
    expectWhole(dir, [aRow(1, true), aRow(2, true), aRow(3, false), aRow(4, true)], upTo(6));
    expect(existsSync(`${dir}/state.db.new`)).toBe(false);
  });

  test("with any byte flipped is refused", async () => {
    using temp = new TempDir();
    const bytes = await aSnapshot(temp);
    const { mirror, snapshot, path } = await aFollower(temp, bytes);
    for (let at = 0; at < bytes.length; at += at < 400 ? 13 : 9_973) {
      const copy = bytes.slice();
      copy[at] = (copy[at] ?? 0) ^ 0x04;
      writeFileSync(path, copy);
      expect([at, await faultOf(() => mirror.replace(snapshot))]).toEqual([
        at,
        expect.stringMatching(/^CORRUPT_LOG: .*: the snapshot cannot be used: /),
      ]);
    }
    await mirror.close();
  });

  test("of another cluster, or of another index, is refused", async () => {
    using temp = new TempDir();
    const { mirror, snapshot } = await aFollower(temp, await aSnapshot(temp, "c2"));
    expect(await faultOf(() => mirror.replace(snapshot))).toEndWith("is of cluster c2, not of cluster c1");
    await mirror.close();
    const other = await aFollower(temp, await aSnapshot(temp), "other");
    const meta = { ...END, index: logIndex(71) };
    expect(await faultOf(() => other.mirror.replace({ ...other.snapshot, meta }))).toEndWith(
      "ends at entry 70, not at entry 71",
    );
    await other.mirror.close();
  });

  test("is not made of a state with a damaged or missing row", async () => {
    using temp = new TempDir();
    await aSnapshot(temp);
    const dir = temp.join("source-c1");
    const { Database } = await import("bun:sqlite");
    const db = new Database(`${dir}/state.db`);
    db.run("DELETE FROM live WHERE short_id = 1");
    db.close();
    const cut = openMirrorCut(dir);
    expect(await faultOf(() => [...snapshotChunks(cut)])).toContain("live rows are missing");
    cut.close();
  });
});

describe("a start", () => {
  /** A log that begins after END, as a member has it that was killed before its state was replaced. */
  function installedLog(dir: string): void {
    createLogStoreAt(dir, aNewLog(3), END).close();
  }

  test("finishes what a kill between log and state left, and tidies up", async () => {
    using temp = new TempDir();
    const { dir, mirror, path } = await aFollower(temp, await aSnapshot(temp));
    await mirror.close();
    installedLog(dir);
    writeFileSync(stagedSnapshotPath(dir, { index: logIndex(12) }), "an older one");
    writeFileSync(`${path}.part`, "half of one");
    expect(finishStagedSnapshot(dir)).toEqual(END);
    expect(readdirSync(dir).filter((name) => /snapshot|new/.test(name))).toEqual([]);
    expectWhole(dir, ROWS, END);
    expect(finishStagedSnapshot(dir)).toBeUndefined();
    openLogStore(dir, 1).close();
  });

  test("finishes it wherever the replacement was interrupted", async () => {
    using temp = new TempDir();
    const bytes = await aSnapshot(temp);
    const interrupted: readonly ((dir: string) => void)[] = [
      (dir) => writeFileSync(`${dir}/state.db.new`, "half a state"),
      // The write-ahead log of the old state is gone, the new state is not yet in its place.
      (dir) => writeFileSync(`${dir}/state.db`, readFileSync(`${dir}/state.db`).subarray(0, 5_000)),
      (dir) => writeFileSync(`${dir}/state.db-wal`, ""),
    ];
    for (const [i, interrupt] of interrupted.entries()) {
      const { dir, mirror } = await aFollower(temp, bytes, `follower-${i}`);
      await mirror.close();
      installedLog(dir);
      interrupt(dir);
      expect(finishStagedSnapshot(dir)).toEqual(END);
      expectWhole(dir, ROWS, END);
    }
  });

  test("keeps a state that was replaced before the kill, and drops the snapshot", async () => {
    using temp = new TempDir();
    const bytes = await aSnapshot(temp);
    const { dir, mirror, snapshot, path } = await aFollower(temp, bytes);
    await mirror.replace(snapshot);
    await mirror.close();
    writeFileSync(path, bytes);
    installedLog(dir);
    expect(finishStagedSnapshot(dir)).toBeUndefined();
    expect(existsSync(path)).toBe(false);
    expectWhole(dir, ROWS, END);
  });

  test("drops a snapshot that the log does not begin after", async () => {
    using temp = new TempDir();
    const { dir, mirror, path } = await aFollower(temp, await aSnapshot(temp));
    await mirror.close();
    createWaitingStore(dir, 1).close();
    expect(finishStagedSnapshot(dir)).toBeUndefined();
    expect(existsSync(path)).toBe(false);
    expectWhole(dir, [aRow(1, true), aRow(2, true), aRow(3, false)], upTo(5));
  });

  test("refuses a log that begins after what the state holds, when no snapshot is there or it is damaged", async () => {
    using temp = new TempDir();
    const bytes = await aSnapshot(temp);
    const { dir, mirror, path } = await aFollower(temp, bytes);
    await mirror.close();
    installedLog(dir);
    writeFileSync(path, bytes.subarray(0, 900));
    const before = readFileSync(`${dir}/state.db`);
    expect(await faultOf(() => finishStagedSnapshot(dir))).toStartWith("CORRUPT_LOG: ");
    expect(readFileSync(`${dir}/state.db`).equals(before)).toBe(true);
    const bare = temp.join("bare");
    mkdirSync(bare);
    for (const file of ["log.db", "state.db"]) copyFileSync(`${dir}/${file}`, `${bare}/${file}`);
    expect(await faultOf(() => finishStagedSnapshot(bare))).toBe(
      `CORRUPT_LOG: ${bare}/state.db: the log begins after entry 70, which this state does not hold, and no snapshot of it is here`,
    );
  });

  test("has nothing to do where there is no log, and leaves a running server alone", async () => {
    using temp = new TempDir();
    expect(finishStagedSnapshot(temp.path)).toBeUndefined();
    const store = createWaitingStore(temp.path, 1);
    expect(await faultOf(() => finishStagedSnapshot(temp.path))).toEndWith("is in use by another process");
    store.close();
  });
});
