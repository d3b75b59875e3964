/**
 * Shows what the main loop can rely on, over a log store in memory: each committed entry
 * once and in order, one write for many proposals, catching up after a restart, and a
 * clean end when the store fails.
 */
import { describe, expect, test } from "bun:test";
import type { LogIndex } from "../../../../src/base/brand.ts";
import { logIndex, term } from "../../../../src/base/brand.ts";
import { createPrng } from "../../../../src/base/prng.ts";
import type { Fault } from "../../../../src/core/domain/errors.ts";
import { RaftDriver } from "../../../../src/engine/server/raft-driver.ts";
import { createLoneLink } from "../../../../src/io/consensus/lone-link.ts";
import type { CommittedEntry, ConsensusListener, ConsensusStatus } from "../../../../src/ports/consensus.ts";
import { ManualClock } from "../../../fixtures/driver-cluster.ts";
import { MemoryLogStore } from "../../../fixtures/memory-log-store.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** The store of a cluster of one, whose log begins with the membership. */
const aStore = () =>
  MemoryLogStore.bootstrapped(
    { clusterId: "c", memberId: 1, storeId: "s1" },
    { members: [{ id: 1, address: "here:9000", storeId: "s1", isVoter: true }], departed: [] },
  );

/** A driver whose deferred work runs when the test says so, and all that it reported. */
class Bench implements ConsensusListener {
  readonly committed: CommittedEntry[] = [];
  readonly batches: number[] = [];
  readonly rejected: [number, string][] = [];
  readonly statuses: ConsensusStatus[] = [];
  readonly failures: Fault[] = [];
  readonly driver: RaftDriver;
  #deferred: (() => void)[] = [];

  constructor(
    readonly store = aStore(),
    applied = 0,
  ) {
    const defer = (callback: () => void) => this.#deferred.push(callback);
    this.driver = new RaftDriver({
      store,
      defer,
      link: createLoneLink(),
      clock: new ManualClock(),
      random: createPrng(1),
      address: "here:9000",
      seeds: [],
    });
    this.driver.start(this, logIndex(applied));
  }

  turn(): void {
    for (const callback of this.#deferred.splice(0)) callback();
  }

  /** The commands committed, with their indexes: before them stand the membership and the no-op. */
  get texts(): readonly string[] {
    const commands = this.committed.filter((e) => e.kind === "command");
    return commands.map((e) => `${e.index} ${new TextDecoder().decode(e.data)}`.trim());
  }

  onCommitted(entries: readonly CommittedEntry[]): void {
    this.batches.push(entries.length);
    this.committed.push(...entries);
  }
  onRejected(proposals: readonly number[], { reason }: Fault): void {
    for (const proposal of proposals) this.rejected.push([proposal, reason]);
  }
  onSnapshot(): void {
    throw new Error("no snapshot is expected");
  }
  onSnapshotWanted(): Promise<LogIndex> {
    throw new Error("no snapshot is expected");
  }
  onRelayed(): void {
    throw new Error("nobody is there to relay anything");
  }
  onStatus(status: ConsensusStatus): void {
    this.statuses.push(status);
  }
  onFailed(reason: Fault): void {
    this.failures.push(reason);
  }
}

describe("proposals", () => {
  test("the member leads at once and commits the membership and its no-op", () => {
    const bench = new Bench();
    expect(bench.committed.map((e) => [Number(e.index), e.kind])).toEqual([
      [1, "membership"],
      [2, "noop"],
    ]);
    expect(bench.statuses.at(-1)).toMatchObject({ leader: 1, term: term(2) });
    expect(bench.driver.status().members).toEqual([
      { id: 1, address: "here:9000", role: "leader", matchIndex: logIndex(2), lastContactMs: 0 },
    ]);
  });

  test("those of one turn share one write and come back in order", () => {
    const bench = new Bench();
    const writes = bench.store.changes.length;
    for (const text of ["a", "b", "c"]) bench.driver.propose(text.charCodeAt(0), bytes(text));
    expect(bench.texts).toEqual([]);
    bench.turn();
    expect(bench.texts).toEqual(["3 a", "4 b", "5 c"]);
    expect(bench.store.changes.length - writes).toBe(1);
  });

  test("more than one write can hold are split, and the rest follows by itself", () => {
    const bench = new Bench();
    for (let i = 0; i < 5_000; i++) bench.driver.propose(i, bytes("x"));
    bench.turn();
    expect(bench.batches).toEqual([1, 1, 4_096]);
    bench.turn();
    expect(bench.batches).toEqual([1, 1, 4_096, 904]);
    expect(bench.store.changes.at(-1)?.hardState?.commit).toBe(logIndex(4_098));
  });

  test("one proposal larger than a write should be still goes through, alone", () => {
    const bench = new Bench();
    bench.driver.propose(1, new Uint8Array(9 << 20));
    bench.driver.propose(2, bytes("small"));
    bench.turn();
    bench.turn();
    expect(bench.batches).toEqual([1, 1, 1, 1]);
  });

  test("a proposal made from within a commit is taken in the next turn", () => {
    const bench = new Bench();
    bench.driver.propose(1, bytes("a"));
    const onCommitted = bench.onCommitted.bind(bench);
    bench.onCommitted = (entries) => {
      onCommitted(entries);
      if (bench.texts.length === 1) bench.driver.propose(2, bytes("b"));
    };
    bench.turn();
    bench.turn();
    expect(bench.texts).toEqual(["3 a", "4 b"]);
  });
});

describe("a restart", () => {
  function aStoreWith(count: number): MemoryLogStore {
    const bench = new Bench();
    for (let i = 0; i < count; i++) bench.driver.propose(i, bytes("x"));
    bench.turn();
    return bench.store;
  }

  const indexesFrom = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

  test("hands on everything after what the state holds, in chunks", () => {
    const store = aStoreWith(1_300);
    const bench = new Bench(store, 1_000);
    expect(bench.committed.map((e) => Number(e.index))).toEqual(indexesFrom(1_001, 1_303));
    expect(new Bench(store).batches).toEqual([512, 512, 279, 1]);
  });

  test("hands on a long log over several turns", () => {
    const store = aStoreWith(4_096);
    const bench = new Bench(store);
    expect(bench.committed.length).toBe(4_096);
    bench.turn();
    expect(bench.committed.map((e) => Number(e.index))).toEqual(indexesFrom(1, 4_099));
  });

  test("goes on after the log was compacted", () => {
    const store = aStoreWith(9);
    const first = new Bench(store, 11);
    first.driver.compact(logIndex(8));
    first.turn();
    expect(store.load().shape.compactedIndex).toBe(logIndex(8));
    const bench = new Bench(store, 8);
    expect(bench.committed.map((e) => Number(e.index))).toEqual([9, 10, 11, 12, 13]);
    expect(bench.failures).toEqual([]);
  });

  test("refuses a state that misses compacted entries", () => {
    const store = aStoreWith(9);
    const first = new Bench(store, 11);
    first.driver.compact(logIndex(8));
    first.turn();
    const { failures } = new Bench(store, 7);
    expect(failures.map((f) => [f.reason, f.message])).toEqual([
      ["CORRUPT_LOG", "entries are missing: the state on disk ends at entry 7, the log begins after entry 8"],
    ]);
  });

  test("refuses a log that is behind the state", () => {
    const { failures, committed } = new Bench(aStoreWith(3), 9);
    expect(failures.map((f) => f.message)).toEqual([
      "entries are missing: the state on disk ends at entry 9, the log ends at entry 5",
    ]);
    expect(committed).toEqual([]);
  });
});

describe("the end", () => {
  test("a store that cannot write stops the member; nothing of that write is committed", () => {
    const bench = new Bench();
    bench.store.failsWith = "no space left";
    bench.driver.propose(1, bytes("a"));
    bench.turn();
    expect(bench.failures.map((f) => f.message)).toEqual(["no space left"]);
    expect(bench.texts).toEqual([]);
    bench.driver.propose(2, bytes("b"));
    bench.turn();
    expect(bench.rejected).toEqual([
      [1, "INTERNAL"],
      [2, "INTERNAL"],
    ]);
    bench.driver.compact(logIndex(1));
    expect(bench.failures).toHaveLength(1);
  });

  test("a store that fails at once leaves no leader", () => {
    const store = aStore();
    store.failsWith = "read-only";
    const bench = new Bench(store);
    expect(bench.driver.status().leader).toBeUndefined();
    expect(bench.failures.map((f) => f.message)).toEqual(["read-only"]);
  });

  test("close writes what was proposed, closes the store and rejects what comes later", async () => {
    const bench = new Bench();
    bench.driver.propose(1, bytes("a"));
    await bench.driver.close();
    expect(bench.texts).toEqual(["3 a"]);
    expect(bench.store.isClosed).toBe(true);
    bench.driver.propose(2, bytes("b"));
    bench.turn();
    expect(bench.rejected).toEqual([[2, "SHUTTING_DOWN"]]);
  });
});
