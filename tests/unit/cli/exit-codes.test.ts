/** Shows what a shell sees of work that was waited for. */
import { expect, test } from "bun:test";
import { EXIT, exitCodeOf, exitCodeOfWork } from "../../../src/cli/exit-codes.ts";
import { fault } from "../../../src/core/domain/errors.ts";

test("the code of the work is the code of the command; a signal is 128 and its number", () => {
  expect(exitCodeOfWork("completed", 0, 0)).toBe(0);
  expect(exitCodeOfWork("failed", 3, 0)).toBe(3);
  expect(exitCodeOfWork("failed", -1, 9)).toBe(137);
});

test("work that Lattice ended, or never started, is told apart from work that failed", () => {
  expect(exitCodeOfWork("cancelled", -1, 0)).toBe(EXIT.notTheWork);
  expect(exitCodeOfWork("failed", -1, 0)).toBe(EXIT.notTheWork);
});

test("faults have the code of the error table", () => {
  expect([exitCodeOf(fault("ALLOCATION_NOT_FOUND", "x")), exitCodeOf(fault("NO_QUORUM", "x"))]).toEqual([4, 8]);
});
