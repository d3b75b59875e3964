/** Shows that proposals and entries come out of their packed form as they went in. */
import { expect, test } from "bun:test";
import { logIndex, term } from "../../../../src/base/brand.ts";
import {
  packEntries,
  packProposals,
  unpackEntries,
  unpackProposals,
} from "../../../../src/io/consensus/consensus-messages.ts";
import type { CommittedEntry } from "../../../../src/ports/consensus.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test("proposals, empty ones too, also out of the middle of other bytes", () => {
  const proposals = [
    { proposal: 2 ** 40, data: bytes("one") },
    { proposal: 5, data: new Uint8Array() },
    { proposal: 6, data: bytes("a longer one").subarray(2, 8) },
  ];
  expect(unpackProposals(packProposals(proposals))).toEqual(proposals);
  expect(unpackProposals(structuredClone(packProposals(proposals)))).toEqual(proposals);
  expect(unpackProposals(packProposals([]))).toEqual([]);
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
