/** Shows that records come back as they were written, and that no single damaged byte is believed. */
import { describe, expect, test } from "bun:test";
import { logIndex, term } from "../../../../src/base/brand.ts";
import { crc32 } from "../../../../src/base/hash.ts";
import {
  decodeEntry,
  decodeIdentity,
  decodeState,
  decodeStores,
  encodeEntry,
  encodeIdentity,
  encodeState,
  encodeStores,
  type LogState,
} from "../../../../src/core/raft/record.ts";
import { anEntry, votersWith } from "../../../fixtures/raft-entries.ts";

const ENTRY = anEntry(7, 3, "hello");
const BIG = 2 ** 52 + 1;
const STATE: LogState = {
  hardState: { term: term(BIG), votedFor: 2, commit: logIndex(8) },
  compactedIndex: logIndex(5),
  compactedTerm: term(2),
  lastIndex: logIndex(BIG),
  membership: { index: logIndex(4), membership: { ...votersWith(1, 2, 3), departed: [7] } },
};

/** Changes the version and makes the checksum right again. */
function ofVersion(record: Uint8Array, version: number): Uint8Array {
  const copy = record.slice();
  copy[0] = version;
  const end = copy.length - 4;
  new DataView(copy.buffer).setUint32(end, crc32(copy.subarray(0, end)));
  return copy;
}

describe("records", () => {
  test("an entry comes back as it was", () => {
    for (const kind of ["noop", "command", "membership"] as const) {
      const entry = { ...ENTRY, kind };
      expect(decodeEntry(encodeEntry(entry), entry.index)).toEqual({ ok: true, value: entry });
    }
    const empty = anEntry(BIG, BIG, "");
    expect(decodeEntry(encodeEntry(empty), empty.index)).toEqual({ ok: true, value: empty });
  });

  test("a state and an identity come back as they were", () => {
    expect(decodeState(encodeState(STATE))).toEqual({ ok: true, value: STATE });
    const fresh = { ...STATE, hardState: { term: term(0), votedFor: undefined, commit: logIndex(0) } };
    expect(decodeState(encodeState(fresh))).toEqual({ ok: true, value: fresh });
    const damaged = { ...STATE, hardState: { ...STATE.hardState, recoverUntil: logIndex(BIG - 1) } };
    expect(decodeState(encodeState(damaged))).toEqual({ ok: true, value: damaged });
    const identity = { clusterId: "b2f0c1de-6f43-4b7e-9a51-0c6a5d3ce001", memberId: 3, storeId: "store-3" };
    expect(decodeIdentity(encodeIdentity(identity))).toEqual({ ok: true, value: identity });
    const waiting = { ...identity, clusterId: "" };
    expect(decodeIdentity(encodeIdentity(waiting))).toEqual({ ok: true, value: waiting });
  });

  test("the known stores come back as they were", () => {
    const stores = new Map([
      [2, "store-2"],
      [BIG, ""],
      [5, "x".repeat(255)],
    ]);
    expect(decodeStores(encodeStores(stores))).toEqual({ ok: true, value: stores });
    expect(decodeStores(encodeStores(new Map()))).toEqual({ ok: true, value: new Map() });
  });

  test("a flipped bit anywhere is found", () => {
    const record = encodeEntry(ENTRY);
    for (let at = 0; at < record.length * 8; at++) {
      const damaged = record.slice();
      damaged[at >> 3] = (damaged[at >> 3] ?? 0) ^ (1 << (at & 7));
      expect(decodeEntry(damaged, ENTRY.index)).toEqual({
        ok: false,
        error: "entry 7 is damaged: its checksum does not match",
      });
    }
  });

  test("a record that was cut short is found", () => {
    const record = encodeEntry(ENTRY);
    for (let length = 0; length < record.length; length++) {
      expect(decodeEntry(record.subarray(0, length), ENTRY.index).ok).toBe(false);
    }
    expect(decodeState(encodeState(STATE).subarray(0, 20))).toEqual({
      ok: false,
      error: "the state record is cut short (20 bytes)",
    });
  });

  test("a record of another version is refused by its version", () => {
    expect(decodeEntry(ofVersion(encodeEntry(ENTRY), 1), ENTRY.index)).toEqual({
      ok: false,
      error: "entry 7 has format version 1; this build reads version 2",
    });
    expect(decodeState(ofVersion(encodeState(STATE), 9))).toEqual({
      ok: false,
      error: "the state record has format version 9; this build reads version 2",
    });
  });

  test("an entry in the place of another is refused", () => {
    expect(decodeEntry(encodeEntry(ENTRY), logIndex(8))).toEqual({
      ok: false,
      error: "entry 7 is stored in the place of entry 8",
    });
  });
});
