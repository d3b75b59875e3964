/**
 * Shows that the state on disk gives back what was written to it, finds rows the ways
 * people name them, and refuses a damaged row or file, on real files: with the writer in
 * the same thread, and in a Worker.
 */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { canonicalEncode } from "../../src/base/canonical-encode.ts";
import { LatticeError } from "../../src/core/domain/errors.ts";
import type { Row } from "../../src/core/state/table.ts";
import { openStateMirror } from "../../src/io/sqlite/state-mirror.ts";
import { openWorkerMirror } from "../../src/io/sqlite/worker-mirror.ts";
import type { HistoryQuery, StateMirror } from "../../src/ports/state-mirror.ts";
import { aRow, idOf } from "../fixtures/mirror-rows.ts";
import { upTo } from "../fixtures/raft-entries.ts";
import { TempDir } from "../fixtures/temp-dir.ts";

const open = (dir: TempDir, clusterId = "c1") => openStateMirror({ dir: dir.path, clusterId });
const sorted = (rows: Iterable<Row>) => [...rows].sort((a, b) => (a.id < b.id ? -1 : 1));

function faultOf(work: () => unknown): string {
  try {
    work();
    return "none";
  } catch (error) {
    return error instanceof LatticeError ? `${error.fault.reason}: ${error.fault.message}` : String(error);
  }
}

/** Changes the file behind the mirror's back. */
function edit(dir: TempDir, sql: string): void {
  const db = new Database(dir.join("state.db"));
  db.run(sql);
  db.close();
}

type Open = (dir: TempDir, clusterId?: string) => StateMirror | Promise<StateMirror>;

const WORKER = new URL("../../src/bin/workers/mirror-worker.ts", import.meta.url).href;
const OPENERS: readonly (readonly [string, Open])[] = [
  ["written in the same thread", open],
  [
    "written in a Worker",
    (dir, clusterId = "c1") => openWorkerMirror({ workerUrl: WORKER, dir: dir.path, clusterId: () => clusterId }),
  ],
];

describe.each(OPENERS)("rows, %s", (_, open) => {
  test("a fresh mirror is empty, at index 0", async () => {
    using dir = new TempDir();
    const mirror = await open(dir);
    expect([Number(mirror.applied().index), [...mirror.liveRows()]]).toEqual([0, []]);
    await mirror.close();
  });

  test("what was written is there after opening again, with its index", async () => {
    using dir = new TempDir();
    const first = await open(dir);
    await first.write([aRow(1, true), aRow(2, true, { state: "pending" })], upTo(4));
    await first.write(
      [aRow(2, true, { state: "running" }), { table: "meta", id: "meta", text: "{}", isLive: true }],
      upTo(9),
    );
    await first.close();
    const second = await open(dir);
    expect(second.applied()).toEqual(upTo(9));
    expect(sorted(second.liveRows())).toEqual([
      aRow(1, true),
      aRow(2, true, { state: "running" }),
      { table: "meta", id: "meta", text: "{}", isLive: true },
    ]);
    await second.close();
  });

  test("a row that is gone is gone; one that is archived is only found", async () => {
    using dir = new TempDir();
    const mirror = await open(dir);
    await mirror.write([aRow(1, true), aRow(2, true), aRow(3, true)], upTo(1));
    await mirror.write([{ ...aRow(1, true), text: undefined }, aRow(2, false)], upTo(2));
    expect(sorted(mirror.liveRows()).map((r) => r.id)).toEqual([idOf(3)]);
    expect(mirror.find("allocations", idOf(1))).toBeUndefined();
    expect(mirror.find("allocations", idOf(2))).toBe(aRow(2, false).text);
    expect(mirror.find("allocations", idOf(3))).toBe(aRow(3, true).text);
    await mirror.write([{ ...aRow(2, false), text: undefined }], upTo(3));
    expect(mirror.find("allocations", idOf(2))).toBeUndefined();
    expect(mirror.archivedAllocations({ limit: 9 })).toEqual([]);
    await mirror.close();
  });

  test("a killed process leaves every write or none of it", async () => {
    using dir = new TempDir();
    using image = new TempDir();
    const mirror = await open(dir);
    await mirror.write([aRow(1, true)], upTo(1));
    await mirror.write([aRow(2, true)], upTo(2));
    for (const file of ["state.db", "state.db-wal"]) copyFileSync(dir.join(file), image.join(file));
    await mirror.close();
    const wal = readFileSync(image.join("state.db-wal"));
    writeFileSync(image.join("state.db-wal"), wal.subarray(0, wal.length - 100));
    const survivor = await open(image);
    expect(survivor.applied()).toEqual(upTo(1));
    expect([...survivor.liveRows()]).toEqual([aRow(1, true)]);
    await survivor.close();
  });

  test("an archived row is found from the moment it is staged, under every name", async () => {
    using dir = new TempDir();
    const mirror = await open(dir);
    await mirror.write([aRow(1, false), aRow(2, true), aRow(7, false)], upTo(1));
    mirror.stage([aRow(2, false, { user: "bob" }), aRow(3, false)]);
    const look = () => {
      expect(mirror.find("allocations", idOf(3))).toBe(aRow(3, false).text);
      expect(mirror.findByShortId(3)).toEqual({ table: "allocations", id: idOf(3) });
      expect(mirror.findByPrefix("0000000", 3).map((r) => r.id)).toEqual([idOf(1), idOf(2), idOf(3)]);
      const shortIds = (query: Omit<HistoryQuery, "limit">, limit = 9) =>
        mirror.archivedAllocations({ ...query, limit }).map((text) => JSON.parse(text).shortId);
      expect(shortIds({})).toEqual([7, 3, 2, 1]);
      expect(shortIds({}, 2)).toEqual([7, 3]);
      expect(shortIds({ beforeShortId: 3 })).toEqual([2, 1]);
      expect(shortIds({ user: "bob" })).toEqual([2]);
      expect(shortIds({ user: "bob", tenant: "blue" })).toEqual([]);
      expect(shortIds({ states: ["failed"] })).toEqual([]);
    };
    look();
    const written = mirror.write([aRow(4, true)], upTo(2));
    look();
    await written;
    look();
    expect(sorted(mirror.liveRows())).toEqual([aRow(4, true)]);
    await mirror.close();
  });

  test("staged rows are not on disk before the write that they belong to", async () => {
    using dir = new TempDir();
    const mirror = await open(dir);
    await mirror.write([aRow(1, true)], upTo(1));
    mirror.stage([aRow(1, true, { state: "failed" }), aRow(2, true)]);
    await mirror.sync();
    expect(sorted(mirror.liveRows())).toEqual([aRow(1, true)]);
    await mirror.write([aRow(2, true, { state: "failed" })], upTo(2));
    expect(sorted(mirror.liveRows())).toEqual([aRow(1, true, { state: "failed" }), aRow(2, true, { state: "failed" })]);
    await mirror.close();
  });

  test("after a write that failed none is taken", async () => {
    using dir = new TempDir();
    const mirror = await open(dir);
    edit(dir, "ALTER TABLE history RENAME TO elsewhere");
    const refused = (write: Promise<void>) => write.then(() => "taken").catch((error: Error) => error.message);
    expect(await refused(mirror.write([aRow(1, false)], upTo(1)))).toContain("no such table: history");
    expect(await refused(mirror.write([aRow(2, true)], upTo(2)))).toContain("no such table: history");
    expect(await refused(mirror.sync())).toContain("no such table: history");
    await mirror.close();
    edit(dir, "ALTER TABLE elsewhere RENAME TO history");
    const again = await open(dir);
    expect([Number(again.applied().index), [...again.liveRows()]]).toEqual([0, []]);
    await again.close();
  });

  test("what was synced needs the write-ahead log no more", async () => {
    using dir = new TempDir();
    using image = new TempDir();
    const mirror = await open(dir);
    await mirror.write([aRow(1, true)], upTo(7));
    await mirror.sync();
    copyFileSync(dir.join("state.db"), image.join("state.db"));
    await mirror.close();
    const survivor = await open(image);
    expect([survivor.applied(), [...survivor.liveRows()]]).toEqual([upTo(7), [aRow(1, true)]]);
    await survivor.close();
  });
});

describe.each(OPENERS)("finding, %s", (_, open) => {
  async function aHistory(dir: TempDir): Promise<StateMirror> {
    const mirror = await open(dir);
    const group = { table: "taskGroups", id: "f000", text: canonicalEncode({ id: "f000", shortId: 50 }), isLive: true };
    await mirror.write(
      [
        group,
        { table: "dags", id: "00000001-dag", text: canonicalEncode({ id: "00000001-dag" }), isLive: false },
        { table: "nodes", id: "00000001-node", text: "{}", isLive: true },
        aRow(1, false),
        aRow(2, false, { tenant: "blue", user: "bob", dag: "d1" }),
        aRow(3, false, { state: "failed", group: "f000" }),
        aRow(4, false, { vcluster: "inter", name: "shell", state: "cancelled" }),
        aRow(5, true),
        aRow(6, false, { user: "bob" }),
      ],
      upTo(1),
    );
    return mirror;
  }

  test("allocations and arrays are found by number, live or archived", async () => {
    using dir = new TempDir();
    const mirror = await aHistory(dir);
    expect(mirror.findByShortId(3)).toEqual({ table: "allocations", id: idOf(3) });
    expect(mirror.findByShortId(5)).toEqual({ table: "allocations", id: idOf(5) });
    expect(mirror.findByShortId(50)).toEqual({ table: "taskGroups", id: "f000" });
    expect(mirror.findByShortId(4711)).toBeUndefined();
    await mirror.close();
  });

  test("what people name is found by prefix, up to the limit; nodes are not", async () => {
    using dir = new TempDir();
    const mirror = await aHistory(dir);
    expect(mirror.findByPrefix("00000001", 5)).toEqual([
      { table: "allocations", id: idOf(1) },
      { table: "dags", id: "00000001-dag" },
    ]);
    expect(mirror.findByPrefix("0000000", 2)).toHaveLength(2);
    expect(mirror.findByPrefix("f0", 2)).toEqual([{ table: "taskGroups", id: "f000" }]);
    expect(mirror.findByPrefix("%", 2)).toEqual([]);
    await mirror.close();
  });

  test.each<[string, Omit<HistoryQuery, "limit">, readonly number[]]>([
    ["everything, newest first", {}, [6, 4, 3, 2, 1]],
    ["tenant", { tenant: "blue" }, [2]],
    ["user", { user: "bob" }, [6, 2]],
    ["tenant and user", { tenant: "red", user: "bob" }, [6]],
    ["vCluster", { vcluster: "inter" }, [4]],
    ["name", { name: "shell" }, [4]],
    ["one state", { states: ["failed"] }, [3]],
    ["two states", { states: ["failed", "cancelled"] }, [4, 3]],
    ["no state", { states: [] }, []],
    ["workflow", { dag: "d1" }, [2]],
    ["array", { group: "f000" }, [3]],
    ["a page", { beforeShortId: 4 }, [3, 2, 1]],
    ["a quote in a value", { name: "' OR 1=1 --" }, []],
  ])("archived allocations by %s", async (_, query, expected) => {
    using dir = new TempDir();
    const mirror = await aHistory(dir);
    const shortIds = mirror.archivedAllocations({ ...query, limit: 9 }).map((text) => JSON.parse(text).shortId);
    expect(shortIds).toEqual([...expected]);
    expect(mirror.archivedAllocations({ ...query, limit: 1 })).toHaveLength(Math.min(1, expected.length));
    await mirror.close();
  });
});

describe("a Worker", () => {
  test("that dies is told to every write, and does not hold up the end", async () => {
    using dir = new TempDir();
    const workerUrl = new URL("../fixtures/dying-mirror-worker.ts", import.meta.url).href;
    const mirror = await openWorkerMirror({ workerUrl, dir: dir.path, clusterId: () => "c1" });
    const told = (write: Promise<void>) => write.then(() => "done").catch((error: Error) => error.message);
    const both = [told(mirror.write([aRow(1, false)], upTo(1))), told(mirror.sync())];
    for (const text of await Promise.all(both)) expect(text).toStartWith("the mirror worker stopped: ");
    expect(await told(mirror.write([aRow(2, true)], upTo(2)))).toContain("the disk is on fire");
    expect(mirror.find("allocations", idOf(1))).toBe(aRow(1, false).text);
    await mirror.close();
  });

  test("refuses a state as the same thread does", async () => {
    using dir = new TempDir();
    writeFileSync(dir.join("state.db"), "x".repeat(5_000));
    const opened = openWorkerMirror({ workerUrl: WORKER, dir: dir.path, clusterId: () => "c1" });
    await expect(opened).rejects.toMatchObject({
      fault: { reason: "CORRUPT_LOG", message: `${dir.join("state.db")}: this is not an SQLite file` },
    });
  });
});

describe("a state file that is refused", () => {
  function aFile(dir: TempDir): void {
    const mirror = open(dir);
    mirror.write([aRow(1, true), aRow(2, true), aRow(3, true), aRow(4, false)], upTo(5));
    mirror.close();
  }

  test("has a damaged row, named by table and id, live or archived", () => {
    using dir = new TempDir();
    aFile(dir);
    edit(dir, "UPDATE live SET text = replace(text, 'ann', 'amn') WHERE short_id = 2");
    edit(dir, "UPDATE archived SET text = replace(text, 'ann', 'amn')");
    const mirror = open(dir);
    const damaged = (id: number) =>
      `CORRUPT_LOG: ${dir.join("state.db")}: row ${idOf(id)} of table allocations is damaged`;
    expect(faultOf(() => [...mirror.liveRows()])).toBe(damaged(2));
    expect(faultOf(() => mirror.find("allocations", idOf(4)))).toBe(damaged(4));
    expect(faultOf(() => mirror.archivedAllocations({ limit: 5 }))).toBe(damaged(4));
    mirror.close();
  });

  test("has lost a row", () => {
    using dir = new TempDir();
    aFile(dir);
    edit(dir, "DELETE FROM live WHERE short_id = 2");
    const mirror = open(dir);
    expect(faultOf(() => [...mirror.liveRows()])).toEndWith("live rows are missing or older than the rest");
    mirror.close();
  });

  test("has kept a row of the past", () => {
    using dir = new TempDir();
    aFile(dir);
    edit(dir, "CREATE TABLE past AS SELECT * FROM live");
    const writer = open(dir);
    writer.write([aRow(2, true, { state: "failed" })], upTo(6));
    writer.close();
    edit(dir, "REPLACE INTO live SELECT * FROM past WHERE short_id = 2");
    const mirror = open(dir);
    expect(faultOf(() => [...mirror.liveRows()])).toEndWith("live rows are missing or older than the rest");
    mirror.close();
  });

  test.each([
    ["PRAGMA user_version = 3", "this state file has format version 3; this build reads version 2"],
    ["PRAGMA application_id = 1", "this is not a state file of lattice-server"],
    ["UPDATE meta SET text = replace(text, '5', '4')", "the meta row is damaged"],
    ["DELETE FROM meta", "the meta row is damaged"],
  ])("after `%s`", (sql, reason) => {
    using dir = new TempDir();
    aFile(dir);
    edit(dir, sql);
    const before = readFileSync(dir.join("state.db"));
    expect(faultOf(() => open(dir))).toBe(`CORRUPT_LOG: ${dir.join("state.db")}: ${reason}`);
    expect(readFileSync(dir.join("state.db")).equals(before)).toBe(true);
  });

  test("belongs to another cluster", () => {
    using dir = new TempDir();
    aFile(dir);
    expect(faultOf(() => open(dir, "c2"))).toEndWith("this state belongs to cluster c1, the log to cluster c2");
  });

  test("belongs to the cluster that its member joined after it was made", async () => {
    using dir = new TempDir();
    let clusterId = "";
    const mirror = await openWorkerMirror({ workerUrl: WORKER, dir: dir.path, clusterId: () => clusterId });
    await mirror.write([aRow(1, true)], upTo(2));
    clusterId = "c1";
    await mirror.write([], upTo(3));
    await mirror.close();
    expect(faultOf(() => open(dir, "c2"))).toEndWith("this state belongs to cluster c1, the log to cluster c2");
  });

  test("belongs to the log's cluster when its member had none while it was open", () => {
    using dir = new TempDir();
    open(dir, "").close();
    const joined = open(dir, "c1");
    joined.write([], upTo(3));
    joined.close();
    expect(faultOf(() => open(dir, "c2"))).toEndWith("this state belongs to cluster c1, the log to cluster c2");
  });

  test("is no SQLite file, or no file", () => {
    using dir = new TempDir();
    writeFileSync(dir.join("state.db"), "x".repeat(5_000));
    expect(faultOf(() => open(dir))).toBe(`CORRUPT_LOG: ${dir.join("state.db")}: this is not an SQLite file`);
    using other = new TempDir();
    mkdirSync(other.join("state.db"));
    expect(faultOf(() => open(other))).toStartWith("INTERNAL: ");
  });

  test("a flipped byte never makes other rows of it", () => {
    using dir = new TempDir();
    aFile(dir);
    const good = readFileSync(dir.join("state.db"));
    const rows = (at: TempDir) => {
      const mirror = open(at);
      try {
        return [Number(mirror.applied().index), ...sorted(mirror.liveRows())];
      } finally {
        mirror.close();
      }
    };
    const expected = rows(dir);
    for (let at = 1; at < good.length; at += 101) {
      using copy = new TempDir();
      writeFileSync(copy.join("state.db"), good.with(at, (good[at] ?? 0) ^ 0x10));
      const fault = faultOf(() => expect(rows(copy)).toEqual(expected));
      expect([at, fault]).toEqual([at, expect.stringMatching(/^none$|^CORRUPT_LOG: /)]);
    }
    expect(existsSync(dir.join("state.db-wal"))).toBe(false);
  });
});
