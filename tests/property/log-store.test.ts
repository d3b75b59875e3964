/**
 * Shows that whatever is appended, truncated and compacted, in any order and with the
 * store opened again at any moment, the file holds the same log as a plain array does.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { logIndex, term } from "../../src/base/brand.ts";
import type { Entry } from "../../src/core/raft/raft-types.ts";
import { createWaitingStore, openLogStore } from "../../src/io/sqlite/log-store.ts";
import type { LogStore } from "../../src/ports/log-store.ts";
import { holds } from "../fixtures/property-runs.ts";
import { anEntry, showEntry } from "../fixtures/raft-entries.ts";
import { TempDir } from "../fixtures/temp-dir.ts";

type Operation =
  | { readonly kind: "append"; readonly count: number; readonly raisesTerm: boolean }
  | { readonly kind: "replace"; readonly back: number; readonly count: number }
  | { readonly kind: "compact"; readonly ahead: number }
  | { readonly kind: "reopen" };

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ kind: fc.constant("append" as const), count: fc.integer({ min: 0, max: 5 }), raisesTerm: fc.boolean() }),
  fc.record({
    kind: fc.constant("replace" as const),
    back: fc.integer({ min: 1, max: 4 }),
    count: fc.integer({ min: 0, max: 3 }),
  }),
  fc.record({ kind: fc.constant("compact" as const), ahead: fc.integer({ min: 1, max: 6 }) }),
  fc.constant({ kind: "reopen" as const }),
);

/** The log as anybody would write it. */
class Model {
  entries: Entry[] = [];
  compacted = 0;
  term = 1;
  #written = 0;

  get last(): number {
    return this.compacted + this.entries.length;
  }

  make(from: number, count: number): Entry[] {
    return Array.from({ length: count }, (_, i) => anEntry(from + i, this.term, `text ${this.#written++}`));
  }
}

function apply(operation: Operation, model: Model, store: LogStore): void {
  const hardState = () => ({ term: term(model.term), votedFor: 1, commit: logIndex(model.compacted) });
  switch (operation.kind) {
    case "append": {
      if (operation.raisesTerm) model.term += 1;
      const entries = model.make(model.last + 1, operation.count);
      store.persist({ hardState: hardState(), truncateFrom: undefined, entries });
      model.entries.push(...entries);
      return;
    }
    case "replace": {
      const from = Math.max(model.compacted + 1, model.last + 1 - operation.back);
      model.term += 1;
      const entries = model.make(from, operation.count);
      store.persist({ hardState: hardState(), truncateFrom: logIndex(from), entries });
      model.entries.splice(from - model.compacted - 1, Number.POSITIVE_INFINITY, ...entries);
      return;
    }
    case "compact": {
      const index = Math.min(model.last, model.compacted + operation.ahead);
      if (index === model.compacted) return;
      store.compact(logIndex(index));
      model.entries.splice(0, index - model.compacted);
      model.compacted = index;
      return;
    }
    case "reopen":
  }
}

function check(model: Model, store: LogStore): void {
  const { shape } = store.load();
  expect([Number(shape.compactedIndex), Number(shape.lastIndex)]).toEqual([model.compacted, model.last]);
  const read = store.read(logIndex(model.compacted + 1), model.entries.length + 1);
  expect(read.map(showEntry)).toEqual(model.entries.map(showEntry));
}

test("INV-D1: any history of writes and restarts leaves the log that was acknowledged", () => {
  holds(
    fc.property(fc.array(operation, { maxLength: 20 }), (operations) => {
      using dir = new TempDir();
      const model = new Model();
      let store = createWaitingStore(dir.path, 1);
      try {
        for (const operation of operations) {
          apply(operation, model, store);
          if (operation.kind === "reopen") {
            store.close();
            store = openLogStore(dir.path, 1);
          }
          check(model, store);
        }
        store.close();
        store = openLogStore(dir.path, 1);
        check(model, store);
      } finally {
        store.close();
      }
    }),
  );
}, 60_000);
