/**
 * Shows that a log that cannot be trusted is refused with the reason and left byte for
 * byte as it was found, on real files: whatever single byte is flipped, opening finds
 * every acknowledged entry, or refuses, or, where other voters hold them, says up to
 * where the log must be filled again.
 */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { logIndex, term } from "../../src/base/brand.ts";
import type { Fault } from "../../src/core/domain/errors.ts";
import { LatticeError } from "../../src/core/domain/errors.ts";
import { createLogStore, openLogStore } from "../../src/io/sqlite/log-store.ts";
import { aNewLog, entriesOf } from "../fixtures/raft-entries.ts";
import { TempDir } from "../fixtures/temp-dir.ts";

const HARD_STATE = { term: term(1), votedFor: 1, commit: logIndex(0) };
const FILES = ["log.db", "log.db-wal"];
/** The membership, then three entries a transaction. */
const COUNT = 61;

/** Fills a log of as many members; `image` is a copy of its files while it was open, as after a kill. */
function aLog(dir: TempDir, memberCount = 1): { readonly closed: string; readonly image: string } {
  const closed = dir.join("closed");
  const image = dir.join("image");
  const store = createLogStore(closed, aNewLog(memberCount));
  for (let from = 2; from <= COUNT; from += 3) {
    store.persist({ hardState: HARD_STATE, truncateFrom: undefined, entries: entriesOf(from, from + 2, 1) });
  }
  copyLog(closed, image);
  store.close();
  return { closed, image };
}

function copyLog(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const file of FILES) if (existsSync(join(from, file))) copyFileSync(join(from, file), join(to, file));
}

/** An empty write-ahead log says the same as none. */
const read = (path: string) => (existsSync(path) ? readFileSync(path) : Buffer.alloc(0));

/** Opens the log and returns how many entries it holds, or the fault; a refusal must not touch the files. */
function tryOpen(dir: string): number | Fault {
  const before = FILES.map((file) => read(join(dir, file)));
  try {
    const store = openLogStore(dir, 1);
    const entries = store.read(logIndex(1), COUNT + 1);
    store.close();
    return entries.length;
  } catch (error) {
    if (!(error instanceof LatticeError)) throw error;
    for (const [i, file] of FILES.entries()) {
      const isSame = Bun.deepEquals(read(join(dir, file)), before[i]);
      expect(`${file} ${isSame ? "unchanged" : "changed"}`).toBe(`${file} unchanged`);
    }
    return error.fault;
  }
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 0x40;
  writeFileSync(path, bytes);
}

function refusal(result: number | Fault): string {
  return typeof result === "number" ? `opened with ${result} entries` : `${result.reason}: ${result.message}`;
}

describe("INV-D1: a flipped byte", () => {
  test("in a log that was closed is refused, or lies where it does no harm", () => {
    using dir = new TempDir();
    const { closed } = aLog(dir);
    const size = readFileSync(join(closed, "log.db")).length;
    let refusals = 0;
    for (let at = 3; at < size; at += 61) {
      const copy = dir.join(`flip-${at}`);
      copyLog(closed, copy);
      flip(join(copy, "log.db"), at);
      const result = tryOpen(copy);
      if (typeof result === "number") expect([at, result]).toEqual([at, COUNT]);
      else {
        expect([at, result.reason]).toEqual([at, "CORRUPT_LOG"]);
        refusals += 1;
      }
    }
    expect(refusals).toBeGreaterThan(20);
  });

  test("in a log whose entries others hold is refused, harmless, or leaves a log to be filled again", () => {
    using dir = new TempDir();
    const { closed } = aLog(dir, 3);
    const size = readFileSync(join(closed, "log.db")).length;
    let cuts = 0;
    for (let at = 3; at < size; at += 61) {
      const copy = dir.join(`flip-${at}`);
      copyLog(closed, copy);
      flip(join(copy, "log.db"), at);
      const result = tryOpen(copy);
      if (typeof result !== "number") {
        expect([at, result.reason]).toEqual([at, "CORRUPT_LOG"]);
        continue;
      }
      const store = openLogStore(copy, 1);
      const { hardState, shape } = store.load();
      store.close();
      expect([at, Number(shape.lastIndex)]).toEqual([at, result]);
      if (result < COUNT) {
        expect(hardState).toEqual({ ...HARD_STATE, recoverUntil: logIndex(COUNT) });
        cuts += 1;
      } else expect(hardState).toEqual(HARD_STATE);
    }
    expect(cuts).toBeGreaterThan(20);
  });

  test("in an entry that others hold is told, cut off, and filled again", () => {
    using dir = new TempDir();
    const { closed } = aLog(dir, 3);
    const path = join(closed, "log.db");
    flip(path, readFileSync(path).lastIndexOf("entry 33") + 2);
    let store = openLogStore(closed, 1);
    expect(store.damage).toBe(
      `${path}: entry 33 is damaged: its checksum does not match; the log was cut before entry 33`,
    );
    store.close();
    store = openLogStore(closed, 1);
    expect([store.damage, Number(store.load().shape.lastIndex)]).toEqual([undefined, 32]);
    store.persist({ hardState: HARD_STATE, truncateFrom: undefined, entries: entriesOf(33, COUNT, 1) });
    store.close();
    expect(tryOpen(closed)).toBe(COUNT);
  });

  test("in the data of an entry names the entry", () => {
    using dir = new TempDir();
    const { closed } = aLog(dir);
    const path = join(closed, "log.db");
    flip(path, readFileSync(path).lastIndexOf("entry 33") + 2);
    expect(refusal(tryOpen(closed))).toBe(`CORRUPT_LOG: ${path}: entry 33 is damaged: its checksum does not match`);
  });

  test("in the write-ahead log that a killed server left is refused", () => {
    using dir = new TempDir();
    const { image } = aLog(dir);
    const size = readFileSync(join(image, "log.db-wal")).length;
    copyLog(image, dir.join("sound"));
    expect(tryOpen(dir.join("sound"))).toBe(COUNT);
    let lost = 0;
    for (let at = 5; at < size; at += 1_031) {
      const copy = dir.join(`flip-${at}`);
      copyLog(image, copy);
      flip(join(copy, "log.db-wal"), at);
      const result = tryOpen(copy);
      // The last transaction cannot be told from one that was being written.
      if (typeof result === "number") {
        lost += 1;
        expect([at, result]).toEqual([at, COUNT - 3]);
        expect(at).toBeGreaterThan(size * 0.9);
      } else expect([at, result.reason]).toEqual([at, "CORRUPT_LOG"]);
    }
    expect(lost).toBeLessThan(10);
  });

  test("a write-ahead log cut short loses only what was not acknowledged", () => {
    using dir = new TempDir();
    const { image } = aLog(dir);
    const wal = join(image, "log.db-wal");
    writeFileSync(wal, readFileSync(wal).subarray(0, -1_000));
    expect(tryOpen(image)).toBe(COUNT - 3);
  });
});

describe("a log that is not this member's to open", () => {
  const edit = (dir: string, sql: string) => {
    const db = new Database(join(dir, "log.db"));
    db.run(sql);
    db.close();
  };

  test("another format version is refused with both versions", () => {
    using dir = new TempDir();
    const { closed } = aLog(dir);
    edit(closed, "PRAGMA user_version = 1");
    expect(refusal(tryOpen(closed))).toEndWith("this log has format version 1; this build reads version 2");
  });

  test("another member's log is refused with its owner", () => {
    using dir = new TempDir();
    const { closed } = aLog(dir);
    expect(() => openLogStore(closed, 2)).toThrow("belongs to member 1 of cluster c1, not to member 2");
  });

  test.each([
    ["a text", "this is not a database, whatever its name says\n".repeat(40), "this is not an SQLite file"],
    ["an empty file", "", "this is not a log of lattice-server"],
  ])("%s is refused", (_, content, reason) => {
    using dir = new TempDir();
    writeFileSync(dir.join("log.db"), content);
    expect(refusal(tryOpen(dir.path))).toBe(`CORRUPT_LOG: ${dir.join("log.db")}: ${reason}`);
  });

  test("an SQLite file of somebody else is refused", () => {
    using dir = new TempDir();
    edit(dir.path, "CREATE TABLE entries (idx INTEGER PRIMARY KEY, record BLOB)");
    expect(refusal(tryOpen(dir.path))).toEndWith("this is not a log of lattice-server");
  });

  test.each([
    ["DELETE FROM entries WHERE idx = 40", "entry 40 is missing: entry 41 comes next"],
    ["DELETE FROM entries WHERE idx > 58", "the log ends at entry 58, but entry 61 was acknowledged as its last"],
    ["DELETE FROM meta WHERE name = 'state'", "the state record is missing"],
    ["DELETE FROM meta WHERE name = 'stores'", "the stores record is missing"],
    ["DROP TABLE entries", "no such table: entries"],
    [
      "UPDATE entries SET record = (SELECT record FROM entries WHERE idx = 3) WHERE idx = 4",
      "entry 3 is stored in the place of entry 4",
    ],
  ])("a log after `%s` is refused", (sql, reason) => {
    using dir = new TempDir();
    const { closed } = aLog(dir);
    edit(closed, sql);
    expect(refusal(tryOpen(closed))).toBe(`CORRUPT_LOG: ${join(closed, "log.db")}: ${reason}`);
  });

  test("a log that is open elsewhere is refused and the first goes on", () => {
    using dir = new TempDir();
    const store = createLogStore(dir.path, aNewLog());
    const result = tryOpen(dir.path);
    expect(refusal(result)).toBe(`INTERNAL: ${dir.join("log.db")} is in use by another process`);
    store.persist({ hardState: HARD_STATE, truncateFrom: undefined, entries: entriesOf(2, 3, 1) });
    store.close();
    expect(tryOpen(dir.path)).toBe(3);
  });

  test("no log and no usable directory are said plainly", () => {
    using dir = new TempDir();
    writeFileSync(dir.join("file"), "");
    expect(refusal(tryOpen(dir.path))).toBe(`INTERNAL: there is no log in ${dir.path}`);
    expect(() => createLogStore(dir.join("file", "data"), aNewLog())).toThrow("cannot read and write");
    expect(() => createLogStore("/proc/lattice", aNewLog())).toThrow(/cannot read and write \/proc\/lattice \(E/);
  });
});
