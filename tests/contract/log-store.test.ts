/**
 * Shows that every log store keeps the promises of its port: the real one on a real file,
 * and the one in memory that tests use.
 */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { logIndex, term } from "../../src/base/brand.ts";
import { UNJOINED } from "../../src/core/raft/membership.ts";
import type { MembershipAt } from "../../src/core/raft/raft-types.ts";
import {
  createLogStore,
  createLogStoreAt,
  createWaitingStore,
  hasLog,
  openLogStore,
} from "../../src/io/sqlite/log-store.ts";
import type { LogChange, LogStore } from "../../src/ports/log-store.ts";
import { MemoryLogStore } from "../fixtures/memory-log-store.ts";
import {
  aMembershipEntry,
  aNewLog,
  anEntry,
  entriesOf,
  showEntry,
  upTo,
  votersWith,
} from "../fixtures/raft-entries.ts";
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
  store = createWaitingStore(this.#dir.path, 1);

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
  test("a fresh store is empty and belongs to no cluster", () => {
    using subject = new Subject();
    const { hardState, shape, memberships } = subject.store.load();
    expect(subject.store.identity).toMatchObject({ clusterId: "", memberId: 1 });
    expect(memberships).toEqual([UNJOINED]);
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

  test("the memberships are those of the entries that are left", () => {
    using subject = new Subject();
    const [alone, pair, three] = [votersWith(1), votersWith(1, 2), votersWith(1, 2, 3)];
    const entries = [aMembershipEntry(1, 1, alone), anEntry(2, 1), aMembershipEntry(3, 1, pair), anEntry(4, 1)];
    const expectMemberships = (...expected: readonly MembershipAt[]) => {
      for (let i = 0; i < 2; i++) {
        expect(subject.store.load().memberships).toEqual(expected);
        subject.reopen();
      }
    };
    subject.store.persist(change({ hardState: HARD_STATE, entries }));
    const first = { index: logIndex(1), membership: alone };
    expectMemberships(UNJOINED, first, { index: logIndex(3), membership: pair });
    subject.store.persist(
      change({ truncateFrom: logIndex(3), entries: [anEntry(3, 2), aMembershipEntry(4, 2, three)] }),
    );
    const last = { index: logIndex(4), membership: three };
    expectMemberships(UNJOINED, first, last);
    subject.store.compact(logIndex(2));
    expectMemberships(first, last);
    subject.store.compact(logIndex(4));
    expectMemberships(last);
    subject.store.persist(change({ entries: [anEntry(5, 4)] }));
    expectMemberships(last);
  });

  test("a snapshot takes the place of the whole log", () => {
    using subject = new Subject();
    subject.store.persist(change({ hardState: HARD_STATE, entries: entriesOf(1, 3, 4) }));
    const membership = { index: logIndex(7), membership: votersWith(1, 2, 3) };
    const hardState = { term: term(5), votedFor: undefined, commit: logIndex(9) };
    subject.store.installSnapshot(hardState, { index: logIndex(9), term: term(5), membership });
    subject.reopen();
    const { shape, memberships } = subject.store.load();
    expect([Number(shape.compactedIndex), Number(shape.compactedTerm), Number(shape.lastIndex)]).toEqual([9, 5, 9]);
    expect([subject.store.load().hardState, memberships]).toEqual([hardState, [membership]]);
    expect(() => subject.store.read(logIndex(9), 1)).toThrow("entry 9 is compacted");
    subject.store.persist(change({ entries: [anEntry(10, 5)] }));
    subject.reopen();
    expect(subject.store.read(logIndex(10), 9).map(showEntry)).toEqual(["10/5 entry 10"]);
  });

  test("up to where a damaged log must be filled again is remembered", () => {
    using subject = new Subject();
    const recovering = { ...HARD_STATE, recoverUntil: logIndex(77), commit: logIndex(0) };
    subject.store.persist(change({ hardState: recovering }));
    subject.reopen();
    expect(subject.store.load().hardState).toEqual(recovering);
    const { recoverUntil, ...healed } = recovering;
    subject.store.persist(change({ hardState: healed }));
    subject.reopen();
    expect(subject.store.load().hardState).toEqual(healed);
  });

  test("a waiting store joins one cluster, once", () => {
    using subject = new Subject();
    const { storeId } = subject.store.identity;
    subject.store.adopt("c1");
    subject.store.adopt("c1");
    subject.reopen();
    expect(subject.store.identity).toEqual({ clusterId: "c1", memberId: 1, storeId });
    expect(() => subject.store.adopt("c2")).toThrow("this store belongs to cluster c1 already");
    subject.reopen();
    expect(subject.store.identity.clusterId).toBe("c1");
  });

  test("the stores of other members are remembered, the last one that came", () => {
    using subject = new Subject();
    expect([...subject.store.knownStores]).toEqual([]);
    subject.store.rememberStore(2, "store-2");
    subject.store.rememberStore(300, "store-300");
    subject.store.rememberStore(2, "store-2b");
    subject.reopen();
    expect([...subject.store.knownStores]).toEqual([
      [2, "store-2b"],
      [300, "store-300"],
    ]);
  });
});

describe("log files", () => {
  test("a new cluster's log begins with its members, all of them voters, only the own store known", () => {
    using dir = new TempDir();
    using other = new TempDir();
    const store = createLogStore(dir.path, aNewLog(3));
    const { clusterId, memberId, storeId } = store.identity;
    expect([clusterId, memberId]).toEqual(["c1", 1]);
    expect(storeId).toMatch(/^[0-9a-f-]{36}$/);
    const { hardState, shape, memberships } = store.load();
    expect(hardState).toEqual({ term: term(1), votedFor: undefined, commit: logIndex(0) });
    expect([Number(shape.lastIndex), shape.runs.length]).toEqual([1, 1]);
    expect(store.read(logIndex(1), 2).map((e) => e.kind)).toEqual(["membership"]);
    const [base, first] = memberships;
    expect(base).toEqual(UNJOINED);
    expect(first?.membership.members.map((m) => [m.id, m.address, m.storeId, m.isVoter])).toEqual([
      [1, "server-1:9000", storeId, true],
      [2, "server-2:9000", "", true],
      [3, "server-3:9000", "", true],
    ]);
    store.close();
    const again = createLogStore(other.path, aNewLog(3));
    expect(again.identity.storeId).not.toBe(storeId);
    again.close();
    expect(() => createLogStore(other.join("none"), { ...aNewLog(), memberId: 2 })).toThrow("among the members");
  });

  test("a log may begin after an index, with members of its own", () => {
    using dir = new TempDir();
    createLogStoreAt(dir.path, aNewLog(3), { index: logIndex(500), term: term(7) }).close();
    const store = openLogStore(dir.path, 1);
    const { hardState, shape, memberships } = store.load();
    expect(hardState).toEqual({ term: term(7), votedFor: undefined, commit: logIndex(500) });
    expect([Number(shape.compactedIndex), Number(shape.lastIndex)]).toEqual([500, 500]);
    expect(memberships.map((m) => [Number(m.index), m.membership.members.length])).toEqual([[500, 3]]);
    store.close();
  });

  test("a log is made once, with its cluster", () => {
    using dir = new TempDir();
    const at = dir.join("made", "on", "the", "way");
    expect(hasLog(dir.path)).toBe(false);
    const store = createLogStore(at, { ...aNewLog(2), memberId: 2 });
    expect(store.identity.clusterId).toBe("c1");
    store.close();
    expect(hasLog(at)).toBe(true);
    expect(() => createLogStore(at, aNewLog())).toThrow("exists");
    expect(() => createWaitingStore(at, 2)).toThrow("exists");
    openLogStore(at, 2).close();
  });

  test("compacted entries leave the file little by little, with the writes that follow", () => {
    using dir = new TempDir();
    let store = createLogStore(dir.path, aNewLog());
    const left = () => {
      store.close();
      const db = new Database(dir.join("log.db"), { readonly: true });
      const row = db.query<{ left: number }, []>("SELECT count(*) AS left FROM entries").get();
      db.close();
      store = openLogStore(dir.path, 1);
      return row?.left;
    };
    store.persist(change({ hardState: HARD_STATE, entries: entriesOf(2, 500, 4) }));
    store.compact(logIndex(500));
    expect(left()).toBe(500);
    store.persist(change({ entries: [anEntry(501, 4)] }));
    expect(left()).toBe(437);
    store.persist(change({ entries: entriesOf(502, 701, 4) }));
    expect(left()).toBe(237);
    store.installSnapshot(HARD_STATE, upTo(800));
    for (let i = 801; i <= 820; i++) store.persist(change({ entries: [anEntry(i, 4)] }));
    expect(left()).toBe(20);
    expect(store.read(logIndex(801), 99)).toHaveLength(20);
    store.close();
  });

  test("a clean stop leaves one file and no write-ahead log", () => {
    using dir = new TempDir();
    const store = createLogStore(dir.path, aNewLog());
    store.persist(change({ hardState: HARD_STATE, entries: entriesOf(2, 9, 1) }));
    store.close();
    expect([...new Bun.Glob("*-wal").scanSync(dir.path)]).toEqual([]);
  });
});
