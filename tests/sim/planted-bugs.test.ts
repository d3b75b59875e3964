/**
 * Shows that the simulator finds bugs: a few that show soon are planted, each in a process
 * of its own. tests/long plants all of them.
 */
import { expect, test } from "bun:test";
import { hunt, PLANTED_BUGS } from "./planted-bugs.ts";

const SOON = [
  "one member is a majority",
  "a read does not wait until its index is applied",
  "an idempotency key is not looked up",
];

for (const bug of PLANTED_BUGS.filter(({ name }) => SOON.includes(name))) {
  test(`the simulator finds it when ${bug.name}`, () => {
    expect(hunt(bug, 60)).toMatchObject({ isFound: true });
  });
}
