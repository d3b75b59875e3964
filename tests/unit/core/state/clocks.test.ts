/** Shows that proposers whose clocks are apart, or run backwards, do no harm to the time of the state. */
import { expect, test } from "bun:test";
import { millis } from "../../../../src/base/brand.ts";
import { allocationId } from "../../../../src/core/domain/ids.ts";
import type { NewAllocation } from "../../../../src/core/state/commands.ts";
import { metaOf, stateHash } from "../../../../src/core/state/state.ts";
import { aSpec } from "../../../fixtures/builders.ts";
import { replayed, StateWorld } from "../../../fixtures/state-world.ts";

const submission = (n: number): NewAllocation => ({
  id: allocationId(`00000000-0000-4000-8000-${String(n).padStart(12, "0")}`),
  spec: aSpec(),
  dependencies: [],
});

test("time never goes back, whoever proposes, and the same log gives the same state", () => {
  const world = new StateWorld();
  const times: number[] = [];
  for (const [n, clock] of [1_000, 90_000, 2_000, 0, 91_000, 3_000].entries()) {
    world.now = millis(clock);
    const { events } = world.propose({ kind: "submit-allocation", allocation: submission(n) });
    for (const event of events) if (event.kind === "allocation-changed") times.push(event.at);
  }
  expect(times).toEqual([1_000, 90_000, 90_000, 90_000, 91_000, 91_000]);
  expect(metaOf(world.state).time as number).toBe(91_000);
  expect(stateHash(replayed(world.log))).toBe(stateHash(world.state));
});

test("keys are forgotten by the time of the state, not by the clock of who proposed under them", () => {
  const world = new StateWorld();
  world.now = millis(90_000);
  world.propose({ kind: "submit-allocation", allocation: submission(1) });
  world.now = millis(1_000);
  const idempotency = { key: "k", fingerprint: "f" };
  const first = world.propose({ kind: "submit-allocation", allocation: submission(2) }, { idempotency });
  world.propose({ kind: "forget-idempotency", before: millis(80_000) });
  const again = world.propose({ kind: "submit-allocation", allocation: submission(3) }, { idempotency });
  expect(again.outcome).toEqual(first.outcome);
});
