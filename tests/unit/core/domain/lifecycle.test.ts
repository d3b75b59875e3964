/** Shows what the tables of legal transitions promise: ends are ends, and each state can be left or reached. */
import { expect, test } from "bun:test";
import {
  ALLOCATION_STATES,
  ALLOCATION_TRANSITIONS,
  holdsNodes,
  isSchedulable,
  isTerminal,
  NODE_STATES,
  NODE_TRANSITIONS,
} from "../../../../src/core/domain/lifecycle.ts";

test("only completed, failed and cancelled are ends", () => {
  expect(ALLOCATION_STATES.filter(isTerminal)).toEqual(["completed", "failed", "cancelled"]);
});

test("whatever is not at its end can be cancelled and can fail", () => {
  for (const state of ALLOCATION_STATES.filter((s) => !isTerminal(s))) {
    expect(ALLOCATION_TRANSITIONS[state]).toContain("cancelled");
    expect(ALLOCATION_TRANSITIONS[state]).toContain("failed");
  }
});

test("whatever holds nodes can be requeued", () => {
  for (const state of ALLOCATION_STATES.filter(holdsNodes)) expect(ALLOCATION_TRANSITIONS[state]).toContain("pending");
});

test("no state leads to itself", () => {
  for (const state of ALLOCATION_STATES) expect(ALLOCATION_TRANSITIONS[state]).not.toContain(state);
  for (const state of NODE_STATES) expect(NODE_TRANSITIONS[state]).not.toContain(state);
});

test("a node can go down from every other state, and only ready ones are given work", () => {
  for (const state of NODE_STATES.filter((s) => s !== "down")) expect(NODE_TRANSITIONS[state]).toContain("down");
  expect(NODE_STATES.filter(isSchedulable)).toEqual(["ready"]);
});
