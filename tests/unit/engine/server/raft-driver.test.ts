/**
 * Shows what the main loop can rely on, over a log store in memory: each committed entry
 * once and in order, one write for many proposals, catching up after a restart, and a
 * clean end when the store fails.
 */
import { describe, expect, test } from "bun:test";
import { logIndex } from "../../../../src/base/brand.ts";
import type { Fault } from "../../../../src/core/domain/errors.ts";
import { RaftDriver } from "../../../../src/engine/server/raft-driver.ts";
import type { CommittedEntry, ConsensusListener, ConsensusStatus } from "../../../../src/ports/consensus.ts";
import { MemoryLogStore } from "../../../fixtures/memory-log-store.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

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
    readonly store = new MemoryLogStore(),
    applied = 0,
  ) {
    const defer = (callback: () => void) => this.#deferred.push(callback);
    this.driver = new RaftDriver({ memberId: 1, address: "here:9000", store, defer });
    this.driver.start(this, logIndex(applied));
  }

  turn(): void {
    for (const callback of this.#deferred.splice(0)) callback();
  }

  get texts(): readonly string[] {
    return this.committed.map((e) => `${e.index} ${new TextDecoder().decode(e.data)}`.trim());
  }

  onCommitted(entries: readonly CommittedEntry[]): void {
    this.batches.push(entries.length);
    this.committed.push(...entries);
  }
  onRejected(proposals: readonly number[], { reason }: Fault): void {
    for (const proposal of proposals) this.rejected.push([proposal, reason]);
  }
  onStatus(status: ConsensusStatus): void {
    this.statuses.push(status);
  }
  onFailed(reason: Fault): void {
    this.failures.push(reason);
  }
}

describe("proposals", () => {
  test("the member leads at once and commits its no-op with empty data", () => {
    const bench = new Bench();
    expect(bench.texts).toEqual(["1"]);
    expect(bench.statuses.map((s) => [s.leader, Number(s.term)])).toEqual([
      [undefined, 1],
      [1, 1],
    ]);
    expect(bench.driver.status().members).toEqual([
      { id: 1, address: "here:9000", role: "leader", matchIndex: logIndex(1), lastContactMs: 0 },
    ]);
  });

  test("those of one turn share one write and come back in order", () => {
    const bench = new Bench();
    const writes = bench.store.changes.length;
    for (const text of ["a", "b", "c"]) bench.driver.propose(text.charCodeAt(0), bytes(text));
    expect(bench.texts).toEqual(["1"]);
    bench.turn();
    expect(bench.texts).toEqual(["1", "2 a", "3 b", "4 c"]);
    expect(bench.store.changes.length - writes).toBe(1);
  });

  test("more than one write can hold are split, and the rest follows by itself", () => {
    const bench = new Bench();
    for (let i = 0; i < 5_000; i++) bench.driver.propose(i, bytes("x"));
    bench.turn();
    expect(bench.batches).toEqual([1, 4_096]);
    bench.turn();
    expect(bench.batches).toEqual([1, 4_096, 904]);
    expect(bench.store.changes.at(-1)?.hardState?.commit).toBe(logIndex(4_097));
  });

  test("one proposal larger than a write should be still goes through, alone", () => {
    const bench = new Bench();
    bench.driver.propose(1, new Uint8Array(9 << 20));
    bench.driver.propose(2, bytes("small"));
    bench.turn();
    bench.turn();
    expect(bench.batches).toEqual([1, 1, 1]);
  });

  test("a proposal made from within a commit is taken in the next turn", () => {
    const bench = new Bench();
    bench.driver.propose(1, bytes("a"));
    const onCommitted = bench.onCommitted.bind(bench);
    bench.onCommitted = (entries) => {
      onCommitted(entries);
      if (bench.committed.length === 2) bench.driver.propose(2, bytes("b"));
    };
    bench.turn();
    bench.turn();
    expect(bench.texts).toEqual(["1", "2 a", "3 b"]);
  });
});

describe("a restart", () => {
  function aStoreWith(count: number): MemoryLogStore {
    const bench = new Bench();
    for (let i = 0; i < count; i++) bench.driver.propose(i, bytes("x"));
    bench.turn();
    return bench.store;
  }

  test("hands on everything after what the state holds, in chunks", () => {
    const bench = new Bench(aStoreWith(1_300), 1_000);
    expect(bench.batches).toEqual([301, 1]);
    expect(bench.committed.map((e) => Number(e.index))).toEqual(Array.from({ length: 302 }, (_, i) => 1_001 + i));
    expect(new Bench(aStoreWith(1_300)).batches).toEqual([512, 512, 277, 1]);
  });

  test("goes on after the log was compacted", () => {
    const store = aStoreWith(9);
    const first = new Bench(store, 10);
    first.driver.compact(logIndex(8));
    const bench = new Bench(store, 8);
    expect(bench.committed.map((e) => Number(e.index))).toEqual([9, 10, 11, 12]);
    expect(bench.failures).toEqual([]);
  });

  test("refuses a state that misses compacted entries", () => {
    const store = aStoreWith(9);
    new Bench(store, 10).driver.compact(logIndex(8));
    const { failures } = new Bench(store, 7);
    expect(failures.map((f) => [f.reason, f.message])).toEqual([
      ["CORRUPT_LOG", "entries are missing: the state on disk ends at entry 7, the log begins after entry 8"],
    ]);
  });

  test("refuses a log that is behind the state", () => {
    const { failures, committed } = new Bench(aStoreWith(3), 9);
    expect(failures.map((f) => f.message)).toEqual([
      "entries are missing: the state on disk ends at entry 9, the log ends at entry 4",
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
    expect(bench.texts).toEqual(["1"]);
    bench.driver.propose(2, bytes("b"));
    bench.turn();
    expect(bench.rejected).toEqual([[2, "INTERNAL"]]);
    bench.driver.compact(logIndex(1));
    expect(bench.failures).toHaveLength(1);
  });

  test("a store that fails at once leaves no leader", () => {
    const store = new MemoryLogStore();
    store.failsWith = "read-only";
    const bench = new Bench(store);
    expect(bench.driver.status().leader).toBeUndefined();
    expect(bench.failures.map((f) => f.message)).toEqual(["read-only"]);
  });

  test("close writes what was proposed, closes the store and rejects what comes later", async () => {
    const bench = new Bench();
    bench.driver.propose(1, bytes("a"));
    await bench.driver.close();
    expect(bench.texts).toEqual(["1", "2 a"]);
    expect(bench.store.isClosed).toBe(true);
    bench.driver.propose(2, bytes("b"));
    bench.turn();
    expect(bench.rejected).toEqual([[2, "SHUTTING_DOWN"]]);
  });
});
