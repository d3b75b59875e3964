/** Shows that every message comes back from its bytes, and that damage and cuts are found. */
import { describe, expect, test } from "bun:test";
import { logIndex, term } from "../../../../src/base/brand.ts";
import { decodeMessage, encodeMessage } from "../../../../src/core/raft/message-record.ts";
import type { RaftMessage } from "../../../../src/core/raft/raft-types.ts";

const at = { term: term(7) };
const entries = [5, 6].map((index) => {
  return { index: logIndex(index), term: term(3), kind: "command" as const, data: new Uint8Array(index) };
});
const APPEND: RaftMessage = {
  ...{ kind: "append", ...at, prevIndex: logIndex(4), prevTerm: term(2), commit: logIndex(3) },
  entries,
};
const MESSAGES: readonly RaftMessage[] = [
  { kind: "vote", ...at, lastIndex: logIndex(9), lastTerm: term(6), isPreVote: true, isTransfer: false },
  { kind: "vote", ...at, lastIndex: logIndex(9), lastTerm: term(6), isPreVote: false, isTransfer: true },
  { kind: "vote-reply", ...at, isPreVote: false, isGranted: true },
  APPEND,
  { ...APPEND, entries: [] },
  {
    ...{ kind: "append-reply", ...at, isAccepted: false, index: logIndex(8), hintIndex: logIndex(4) },
    ...{ hintTerm: term(2), isRecovering: true },
  },
  { kind: "heartbeat", ...at, commit: logIndex(2 ** 40), round: 12 },
  { kind: "heartbeat-reply", ...at, round: 12 },
  { kind: "timeout-now", ...at },
  { kind: "read-index", ...at, ticket: 3 },
  { kind: "read-index-reply", ...at, ticket: 3, index: logIndex(5) },
  { kind: "read-index-reply", ...at, ticket: 3, index: undefined },
];

describe("messages as bytes", () => {
  test("each comes back as it was", () => {
    for (const message of MESSAGES) expect(decodeMessage(encodeMessage(message))).toEqual({ ok: true, value: message });
  });

  test("a cut anywhere is found, except between two entries, which only the frame can tell", () => {
    const bytes = encodeMessage(APPEND);
    const found = Array.from(bytes, (_, i) => decodeMessage(bytes.subarray(0, i)).ok);
    expect(found.filter(Boolean)).toHaveLength(2);
  });

  test("a damaged entry and an unknown kind are named", () => {
    const bytes = encodeMessage(APPEND);
    bytes[80] = 99;
    const damaged = decodeMessage(bytes);
    expect(damaged.ok ? "" : damaged.error).toContain("is damaged: its checksum does not match");
    const unknown = decodeMessage(new Uint8Array(60).fill(200));
    expect(unknown.ok ? "" : unknown.error).toBe("a message is of an unknown kind (200)");
  });
});
