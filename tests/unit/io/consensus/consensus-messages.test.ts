/** Shows that byte strings and entries come out of their packed form as they went in. */
import { expect, test } from "bun:test";
import { logIndex, term } from "../../../../src/base/brand.ts";
import {
  buffersOf,
  packBytes,
  packEntries,
  unpackBytes,
  unpackEntries,
} from "../../../../src/io/consensus/consensus-messages.ts";
import type { CommittedEntry } from "../../../../src/ports/consensus.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test("byte strings, empty ones too, also out of the middle of others", () => {
  const parts = [bytes("one"), new Uint8Array(), bytes("a longer one").subarray(2, 8)];
  const packed = packBytes(parts);
  expect(unpackBytes(packed)).toEqual(parts);
  expect(buffersOf(packed).map((b) => b.byteLength)).toEqual([9, 12]);
  expect(unpackBytes(packBytes([]))).toEqual([]);
});

test("entries of each kind, with terms beyond 32 bits", () => {
  const entries: CommittedEntry[] = [
    { index: logIndex(7), term: term(3), kind: "noop", data: new Uint8Array() },
    { index: logIndex(8), term: term(2 ** 40), kind: "command", data: bytes("x") },
    { index: logIndex(9), term: term(2 ** 40), kind: "membership", data: bytes("yz") },
  ];
  expect(unpackEntries(packEntries(entries))).toEqual(entries);
  expect(unpackEntries(structuredClone(packEntries(entries)))).toEqual(entries);
});
