/** Shows that what the error table says about retrying is what the client does, within its limits. */
import { expect, test } from "bun:test";
import { retryDelay } from "../../../src/client/retry.ts";
import { FAULTS, type FaultReason, fault } from "../../../src/core/domain/errors.ts";

const BUDGET = { timeoutMs: 30_000, unreachableMs: 1_000 };
const FIRST = { made: 1, elapsedMs: 0, endpoints: 1, random: 0, hasAnswer: false };
const REASONS = Object.keys(FAULTS).filter((name): name is FaultReason => name in FAULTS);

test("a fault is retried exactly when the table allows it", () => {
  for (const reason of REASONS) {
    const isRetried = retryDelay(fault(reason, "x"), FIRST, BUDGET) !== undefined;
    expect([reason, isRetried]).toEqual([reason, FAULTS[reason].retry !== "never"]);
  }
});

test("a hint of the server decides the pause", () => {
  expect(retryDelay({ reason: "RATE_LIMITED", message: "x", retryAfterMs: 777 }, FIRST, BUDGET)).toBe(777);
});

test("the pause doubles up to two seconds", () => {
  const pauses = [1, 2, 3, 20].map((made) => retryDelay(fault("NO_QUORUM", "x"), { ...FIRST, made }, BUDGET));
  expect(pauses).toEqual([25, 50, 100, 1_000]);
  expect(retryDelay(fault("NO_QUORUM", "x"), { ...FIRST, made: 20, random: 1 }, BUDGET)).toBe(2_000);
});

test("every server is tried at once before any pause", () => {
  const three = { ...FIRST, endpoints: 3 };
  const pauses = [1, 2, 3, 4].map((made) => retryDelay(fault("NOT_LEADER", "x"), { ...three, made }, BUDGET));
  expect(pauses).toEqual([0, 0, 25, 50]);
});

test("nothing is tried past the deadline, and unreachable servers only for a while", () => {
  const late = { ...FIRST, elapsedMs: 29_990 };
  expect(retryDelay(fault("NO_QUORUM", "x"), late, BUDGET)).toBeUndefined();
  expect(retryDelay(fault("SERVER_UNREACHABLE", "x"), { ...FIRST, elapsedMs: 999 }, BUDGET)).toBeUndefined();
  expect(retryDelay(fault("NO_QUORUM", "x"), { ...FIRST, elapsedMs: 999 }, BUDGET)).toBeDefined();
});

test("one server that cannot be reached does not end a call that another has answered", () => {
  const late = { ...FIRST, made: 4, endpoints: 2, elapsedMs: 5_000 };
  expect(retryDelay(fault("SERVER_UNREACHABLE", "x"), late, BUDGET)).toBeUndefined();
  expect(retryDelay(fault("SERVER_UNREACHABLE", "x"), { ...late, hasAnswer: true }, BUDGET)).toBeDefined();
});
