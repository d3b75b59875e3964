/** Shows that what servers say to each other is read as it was written, and that what is malformed is refused with a reason. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { logIndex, term } from "../../../../src/base/brand.ts";
import type { FrameKind } from "../../../../src/io/peer/frames.ts";
import {
  decodeHello,
  decodePeerFrame,
  decodeSnapshotHead,
  decodeSnapshotSeal,
  encodeHello,
  encodePeerFrame,
  encodeSnapshotHead,
  encodeSnapshotSeal,
} from "../../../../src/io/peer/peer-records.ts";
import type { PeerFrame } from "../../../../src/ports/peer-link.ts";
import { holds } from "../../../fixtures/property-runs.ts";

const HELLO = { purpose: "link", to: 2, identity: { clusterId: "c-1", memberId: 1, storeId: "s-1" } } as const;
const number = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const data = fc.uint8Array({ maxLength: 40 });

const aPeerFrame: fc.Arbitrary<PeerFrame> = fc.oneof(
  fc.record({
    kind: fc.constant("raft" as const),
    message: fc.record({ kind: fc.constant("timeout-now" as const), term: number.map(term) }),
  }),
  fc.record({
    kind: fc.constant("forward" as const),
    proposals: fc.array(fc.record({ proposal: number, data }), { maxLength: 5 }),
  }),
  fc.record({
    kind: fc.constant("forward-rejected" as const),
    proposals: fc.array(number, { maxLength: 5 }),
    reason: fc.constantFrom("not-leader" as const, "overloaded" as const),
  }),
  fc.record({ kind: fc.constant("relay" as const), data }),
);

describe("a hello", () => {
  test("is read as it was written", () => {
    const text = fc.string({ unit: "grapheme-ascii", maxLength: 40 });
    const named = fc.record({ clusterId: text, memberId: number, storeId: text });
    const found = { address: "n1:9000", boundAt: logIndex(2 ** 40) };
    const identity = fc.tuple(named, fc.constantFrom({}, found)).map(([who, where]) => ({ ...who, ...where }));
    const hello = fc.record({ purpose: fc.constantFrom("link" as const, "snapshot" as const), to: number, identity });
    holds(fc.property(hello, (said) => expect(decodeHello(encodeHello(said))).toEqual({ ok: true, value: said })));
  });

  test("that is cut short anywhere is refused", () => {
    const bytes = encodeHello(HELLO);
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeHello(bytes.subarray(0, length))).toMatchObject({ ok: false });
    }
  });

  test("of another version is refused by naming both versions", () => {
    const bytes = encodeHello(HELLO);
    bytes[9] = 7;
    const error = "protocol version 7 meets a server that speaks version 1";
    expect(decodeHello(bytes)).toEqual({ ok: false, error });
  });

  test("of something else is refused as no server", () => {
    const bytes = new TextEncoder().encode("an ordinary sentence of some length");
    expect(decodeHello(bytes)).toEqual({ ok: false, error: "it is no Lattice server" });
  });
});

describe("what a member sends", () => {
  test("is read as it was written", () => {
    holds(
      fc.property(aPeerFrame, (frame) => {
        expect(decodePeerFrame(encodePeerFrame(frame))).toEqual({ ok: true, value: frame });
      }),
    );
  });

  test("and is malformed is refused with a reason", () => {
    const refusal = (kind: FrameKind, payload: readonly number[]) =>
      decodePeerFrame({ kind, payload: Uint8Array.from(payload) });
    expect(refusal("forward", [0, 0, 0])).toEqual({ ok: false, error: "forwarded proposals are cut short" });
    expect(refusal("forward", [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9, 1])).toMatchObject({ ok: false });
    expect(refusal("forward-rejected", [9])).toEqual({ ok: false, error: "a rejection is malformed" });
    expect(refusal("forward-rejected", [0, 1])).toMatchObject({ ok: false });
    expect(refusal("raft", [1])).toEqual({ ok: false, error: "a message is cut short (1 bytes)" });
    expect(refusal("snapshot-chunk", [1])).toEqual({ ok: false, error: "a snapshot-chunk frame is out of place" });
  });
});

describe("what a snapshot begins and ends with", () => {
  test("is read as it was written", () => {
    const member = { id: 1, address: "server-1:9000", storeId: "s", isVoter: true };
    const membership = { index: logIndex(3), membership: { members: [member], departed: [2] } };
    const head = { term: term(9), meta: { index: logIndex(2 ** 40), term: term(8), membership } };
    expect(decodeSnapshotHead(encodeSnapshotHead(head))).toEqual(head);
    const seal = { length: 2 ** 40, sha256: new Uint8Array(32).fill(5) };
    expect(decodeSnapshotSeal(encodeSnapshotSeal(seal))).toMatchObject({ length: 2 ** 40 });
    expect([...(decodeSnapshotSeal(encodeSnapshotSeal(seal))?.sha256 ?? [])]).toEqual([...seal.sha256]);
  });

  test("and is malformed is not read", () => {
    expect(decodeSnapshotHead(new Uint8Array(31))).toBeUndefined();
    expect(decodeSnapshotSeal(new Uint8Array(39))).toBeUndefined();
  });
});
