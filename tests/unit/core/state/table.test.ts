/** Shows that a table's hash depends on its rows only, and that it hands out each change once. */
import { expect, test } from "bun:test";
import { hashHex } from "../../../../src/base/hash.ts";
import { Table } from "../../../../src/core/state/table.ts";

interface Thing {
  readonly size: number;
  readonly name?: string;
}

const filled = (things: Readonly<Record<string, Thing>>): Table<string, Thing> => {
  const table = new Table<string, Thing>("things");
  for (const [id, thing] of Object.entries(things)) table.put(id, thing);
  return table;
};

const hash = (table: Table<string, Thing>): string => hashHex(table.hash());

test("the hash is that of the rows, whatever the way to them", () => {
  const straight = filled({ a: { size: 1 }, b: { size: 2 } });
  const roundabout = filled({ b: { size: 9 }, c: { size: 3 } });
  roundabout.hash();
  roundabout.put("a", { size: 1 });
  roundabout.put("b", { size: 2 });
  roundabout.delete("c");
  expect(hash(roundabout)).toBe(hash(straight));
  expect(hash(filled({ a: { size: 2 }, b: { size: 1 } }))).not.toBe(hash(straight));
});

test("an empty table has the hash of no row, also after its rows are gone", () => {
  const table = filled({ a: { size: 1 } });
  table.delete("a");
  table.delete("a");
  expect(hash(table)).toBe("0000000000000000");
});

test("restoring the rows gives the hash and no changes", () => {
  const table = filled({ a: { size: 1, name: "x" }, b: { size: 2 } });
  const copy = new Table<string, Thing>("things");
  for (const { id, text } of table.rows()) copy.restore(id, text ?? "");
  expect(hash(copy)).toBe(hash(table));
  expect([...copy.takeChanges()]).toEqual([]);
});

test("each change is handed out once, as it stands when it is taken", () => {
  const table = filled({ a: { size: 1 }, b: { size: 2 } });
  table.put("a", { size: 3 });
  table.delete("b");
  expect([...table.takeChanges()]).toEqual([
    { table: "things", id: "a", text: '{"size":3}', isLive: true },
    { table: "things", id: "b", text: undefined, isLive: false },
  ]);
  expect([...table.takeChanges()]).toEqual([]);
});

test("an archived row leaves memory, stays a change with its text, and gives up its hash", () => {
  const table = filled({ a: { size: 1 } });
  const before = hash(table);
  expect(hashHex(table.archive("a"))).toBe(before);
  expect([table.get("a"), hash(table)]).toEqual([undefined, "0000000000000000"]);
  expect([...table.takeChanges()]).toEqual([{ table: "things", id: "a", text: '{"size":1}', isLive: false }]);
});

test("changes may be taken a few at a time, and what changes meanwhile comes again", () => {
  const table = filled({ a: { size: 1 }, b: { size: 2 } });
  table.archive("b");
  const take = () => table.takeChanges().next().value;
  expect(take()).toEqual({ table: "things", id: "b", text: '{"size":2}', isLive: false });
  table.put("c", { size: 3 });
  expect(take()).toMatchObject({ id: "a", text: '{"size":1}' });
  table.put("a", { size: 4 });
  expect([...table.takeChanges()].map(({ id, text }) => [id, text])).toEqual([
    ["c", '{"size":3}'],
    ["a", '{"size":4}'],
  ]);
});

test("archived rows may be taken ahead of the other changes", () => {
  const table = filled({ a: { size: 1 }, b: { size: 2 } });
  table.archive("a");
  expect([...table.takeArchived()].map(({ id }) => id)).toEqual(["a"]);
  expect([...table.takeChanges()].map(({ id }) => id)).toEqual(["b"]);
});
