/**
 * Shows that every log store keeps the promises of its port: the real one on a real file,
 * and the one in memory that tests use.
 */
import { describe, expect, test } from "bun:test";
import { logIndex, term } from "../../src/base/brand.ts";
import { createLogStore, hasLog, openLogStore } from "../../src/io/sqlite/log-store.ts";
import type { LogChange, LogStore } from "../../src/ports/log-store.ts";
import { MemoryLogStore } from "../fixtures/memory-log-store.ts";
import { anEntry, entriesOf, showEntry } from "../fixtures/raft-entries.ts";
import { TempDir } from "../fixtures/temp-dir.ts";

const change = (fields: Partial<LogChange>): LogChange => ({
  hardState: undefined,
  truncateFrom: undefined,
  entries: [],
  ...fields,
});
const HARD_STATE = { term: term(4), votedFor: 1, commit: logIndex(2) };

interface Subject extends Disposable {
  store: LogStore;
  /** Closes and opens again, where there is something to open. */
  reopen(): void;
}

class SqliteSubject implements Subject {
  readonly #dir = new TempDir();
  store = createLogStore(this.#dir.path, 1, "c1");

  reopen(): void {
    this.store.close();
    this.store = openLogStore(this.#dir.path, 1);
  }

  [Symbol.dispose](): void {
    this.store.close();
    this.#dir[Symbol.dispose]();
  }
}

class MemorySubject implements Subject {
  readonly store = new MemoryLogStore();
  reopen(): void {}
  [Symbol.dispose](): void {}
}

const SUBJECTS: readonly (readonly [string, new () => Subject])[] = [
  ["sqlite", SqliteSubject],
  ["memory", MemorySubject],
];

describe.each(SUBJECTS)("log store: %s", (_, Subject) => {
  test("a fresh store is empty", () => {
    using subject = new Subject();
    const { hardState, shape } = subject.store.load();
    expect(hardState).toEqual({ term: term(0), votedFor: undefined, commit: logIndex(0) });
    expect([Number(shape.compactedIndex), Number(shape.lastIndex), shape.runs.length]).toEqual([0, 0, 0]);
    expect(subject.store.read(logIndex(1), 10)).toEqual([]);
  });

  test("what was persisted is read back, also after opening again", () => {
    using subject = new Subject();
    const entries = [...entriesOf(1, 3, 1), anEntry(4, 4, ""), { ...anEntry(5, 4), kind: "noop" as const }];
    subject.store.persist(change({ hardState: HARD_STATE, entries }));
    for (let i = 0; i < 2; i++) {
      expect(subject.store.load().hardState).toEqual(HARD_STATE);
      expect(subject.store.load().shape.runs.map((r) => Number(r.first))).toEqual([1, 4]);
      expect(subject.store.read(logIndex(1), 10).map((e) => e.kind)).toEqual(entries.map((e) => e.kind));
      expect(subject.store.read(logIndex(1), 10).map(showEntry)).toEqual(entries.map(showEntry));
      expect(subject.store.read(logIndex(2), 2).map((e) => Number(e.index))).toEqual([2, 3]);
      expect(subject.store.read(logIndex(6), 2)).toEqual([]);
      subject.reopen();
    }
  });

  test("a write without a hard state keeps the last one", () => {
    using subject = new Subject();
    subject.store.persist(change({ hardState: HARD_STATE }));
    subject.store.persist(change({ entries: entriesOf(1, 2, 4) }));
    subject.reopen();
    expect(subject.store.load().hardState).toEqual(HARD_STATE);
  });

  test("the end of the log is replaced in one write", () => {
    using subject = new Subject();
    const hardState = { ...HARD_STATE, commit: logIndex(0) };
    subject.store.persist(change({ hardState, entries: entriesOf(1, 6, 1) }));
    subject.store.persist(change({ truncateFrom: logIndex(4), entries: [anEntry(4, 2, "other")] }));
    subject.reopen();
    expect(subject.store.read(logIndex(3), 9).map(showEntry)).toEqual(["3/1 entry 3", "4/2 other"]);
    subject.store.persist(change({ truncateFrom: logIndex(1) }));
    subject.reopen();
    expect(subject.store.load().shape.lastIndex).toBe(logIndex(0));
  });

  test("compacted entries are gone and the log goes on after them", () => {
    using subject = new Subject();
    subject.store.persist(change({ hardState: HARD_STATE, entries: [...entriesOf(1, 4, 1), ...entriesOf(5, 6, 3)] }));
    subject.store.compact(logIndex(5));
    subject.reopen();
    const { shape } = subject.store.load();
    expect([Number(shape.compactedIndex), Number(shape.compactedTerm), Number(shape.lastIndex)]).toEqual([5, 3, 6]);
    expect(() => subject.store.read(logIndex(5), 1)).toThrow("entry 5 is compacted");
    expect(subject.store.read(logIndex(6), 1).map(showEntry)).toEqual(["6/3 entry 6"]);
    subject.store.compact(logIndex(6));
    subject.store.persist(change({ entries: [anEntry(7, 4)] }));
    subject.reopen();
    expect(subject.store.read(logIndex(7), 9).map(showEntry)).toEqual(["7/4 entry 7"]);
  });

  test("a gap or an older term is a bug of the caller and leaves the log as it was", () => {
    using subject = new Subject();
    subject.store.persist(change({ hardState: HARD_STATE, entries: entriesOf(1, 2, 3) }));
    expect(() => subject.store.persist(change({ entries: [anEntry(3, 3), anEntry(5, 3)] }))).toThrow(
      "entry 5 cannot follow entry 3",
    );
    expect(() => subject.store.persist(change({ entries: [anEntry(3, 2)] }))).toThrow("term 2 cannot follow");
    subject.reopen();
    expect(subject.store.load().shape.lastIndex).toBe(logIndex(2));
    subject.store.persist(change({ entries: [anEntry(3, 3)] }));
  });
});

describe("log files", () => {
  test("a log is made once, with its cluster", () => {
    using dir = new TempDir();
    expect(hasLog(dir.path)).toBe(false);
    const store = createLogStore(dir.join("made", "on", "the", "way"), 2, "c1");
    expect(store.clusterId).toBe("c1");
    store.close();
    expect(hasLog(dir.join("made/on/the/way"))).toBe(true);
    expect(() => createLogStore(dir.join("made/on/the/way"), 2, "c2")).toThrow("exists");
    openLogStore(dir.join("made/on/the/way"), 2).close();
  });

  test("a clean stop leaves one file and no write-ahead log", () => {
    using dir = new TempDir();
    const store = createLogStore(dir.path, 1, "c1");
    store.persist(change({ hardState: HARD_STATE, entries: entriesOf(1, 9, 1) }));
    store.close();
    expect([...new Bun.Glob("*-wal").scanSync(dir.path)]).toEqual([]);
  });
});
