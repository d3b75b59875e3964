/**
 * Shows that the driver's log gives the entries that were decided, whether they are still
 * in memory or only in the store, and that several writes merged into one leave what they
 * would have left one after the other.
 */
import { describe, expect, test } from "bun:test";
import { logIndex, term } from "../../../../../src/base/brand.ts";
import { createPrng } from "../../../../../src/base/prng.ts";
import type { Entry } from "../../../../../src/core/raft/raft-types.ts";
import type { PersistEffect } from "../../../../../src/engine/server/raft/raft-log.ts";
import { mergeChanges, RaftLog } from "../../../../../src/engine/server/raft/raft-log.ts";
import { MemoryLogStore } from "../../../../fixtures/memory-log-store.ts";
import { entriesOf, showEntry } from "../../../../fixtures/raft-entries.ts";

let tickets = 0;

const write = (entries: readonly Entry[], truncateFrom?: number): PersistEffect => ({
  kind: "persist",
  ticket: ++tickets,
  hardState: { term: term(entries.at(-1)?.term ?? 1), votedFor: undefined, commit: logIndex(0) },
  truncateFrom: truncateFrom === undefined ? undefined : logIndex(truncateFrom),
  entries,
});

const everything = 1 << 30;
const shown = (log: RaftLog, first: number, last: number, bytesMax = everything) =>
  log.read(logIndex(first), logIndex(last), bytesMax).map(showEntry);

describe("entries", () => {
  test("are at hand as soon as they are decided, and after they were written", () => {
    const log = new RaftLog(new MemoryLogStore(), everything);
    const effect = write(entriesOf(1, 3, 1));
    log.decide(effect);
    expect(shown(log, 1, 3)).toEqual(entriesOf(1, 3, 1).map(showEntry));
    log.persist([effect]);
    expect(shown(log, 2, 2)).toEqual(["2/1 entry 2"]);
  });

  test("come from the store when memory is short, in order and without a gap", () => {
    const store = new MemoryLogStore();
    const log = new RaftLog(store, 1_000);
    for (let i = 0; i < 20; i++) {
      const effect = write(entriesOf(1 + i * 5, 5 + i * 5, 1));
      log.decide(effect);
      log.persist([effect]);
    }
    const found: string[] = [];
    while (found.length < 100) found.push(...shown(log, found.length + 1, 100));
    expect(found).toEqual(entriesOf(1, 100, 1).map(showEntry));
    const fromStore = shown(log, 1, 100).length;
    expect(fromStore).toBeLessThan(100);
    expect(fromStore).toBeGreaterThan(80);
  });

  test("that are not written yet are never pushed out of memory", () => {
    const log = new RaftLog(new MemoryLogStore(), 1);
    const effects = [write(entriesOf(1, 50, 1)), write(entriesOf(51, 99, 1))];
    for (const effect of effects) log.decide(effect);
    expect(shown(log, 1, 99).length).toBe(99);
    log.persist(effects);
    expect(shown(log, 99, 99)).toEqual(["99/1 entry 99"]);
  });

  test("are cut by bytes, but one always comes", () => {
    const log = new RaftLog(new MemoryLogStore(), everything);
    log.decide(write(entriesOf(1, 9, 1)));
    expect(shown(log, 1, 9, 15)).toEqual(["1/1 entry 1", "2/1 entry 2"]);
    expect(shown(log, 4, 9, 1)).toEqual(["4/1 entry 4"]);
  });

  test("that were dropped are replaced at once", () => {
    const log = new RaftLog(new MemoryLogStore(), everything);
    log.decide(write(entriesOf(1, 5, 1)));
    log.decide(write(entriesOf(3, 4, 2), 3));
    expect(shown(log, 1, 9)).toEqual([...entriesOf(1, 2, 1), ...entriesOf(3, 4, 2)].map(showEntry));
  });
});

test("several writes merged into one leave what they leave one after the other", () => {
  for (let seed = 0; seed < 200; seed++) {
    const random = createPrng(seed);
    const [apart, together] = [new MemoryLogStore(), new MemoryLogStore()];
    let last = 0;
    for (let round = 1; round < 10; round++) {
      const effects: PersistEffect[] = [];
      for (let i = 0; i < 1 + random() * 4; i++) {
        const from = random() < 0.5 ? last + 1 : 1 + Math.floor(random() * (last + 1));
        const to = from - 1 + Math.floor(random() * 4);
        effects.push(write(entriesOf(from, to, round), from <= last ? from : undefined));
        last = to;
      }
      for (const effect of effects) apart.persist(effect);
      together.persist(mergeChanges(effects));
      expect(together.load()).toEqual(apart.load());
      expect(together.read(logIndex(1), 99).map(showEntry)).toEqual(apart.read(logIndex(1), 99).map(showEntry));
    }
  }
});
