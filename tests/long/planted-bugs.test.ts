/** Shows that the simulator finds each bug of the list that is not rare, planted in a process of its own, within a bounded number of seeds. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { hunt, PLANTED_BUGS } from "../sim/planted-bugs.ts";

setDefaultTimeout(600_000);

for (const bug of PLANTED_BUGS.filter(({ isRare }) => !isRare)) {
  test(`the simulator finds it when ${bug.name}`, () => {
    expect(hunt(bug)).toMatchObject({ isFound: true });
  });
}
