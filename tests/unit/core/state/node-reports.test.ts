/** Shows that what many nodes report at once leaves an allocation as it is when they report one after another. */
import { describe, expect, test } from "bun:test";
import { millis } from "../../../../src/base/brand.ts";
import type { Allocation } from "../../../../src/core/domain/allocation.ts";
import type { WorkloadReport } from "../../../../src/core/domain/assignment.ts";
import { allocationId, nodeId } from "../../../../src/core/domain/ids.ts";
import { viewOf } from "../../../../src/core/state/view.ts";
import { aRegistration, aRequest, aSpec } from "../../../fixtures/builders.ts";
import { StateWorld } from "../../../fixtures/state-world.ts";

const NODES = ["n0", "n1", "n2"].map(nodeId);
const JOB = allocationId("job");

type Phase = Omit<WorkloadReport, "allocation" | "attempt">;

/** Returns the job on three nodes after each round of reports, told in one way or the other. */
function played(rounds: readonly (readonly Phase[])[], isTogether: boolean): Omit<Allocation, "version" | "stopping"> {
  const world = new StateWorld();
  for (const node of NODES) {
    world.propose({ kind: "register-node", registration: aRegistration(node), issues: [] });
    const health = { health: "ready", reason: "", issues: [], isolatedUntil: millis(0) } as const;
    world.propose({ kind: "set-node-health", node, ...health });
  }
  const spec = aSpec({ resources: aRequest({ nodesMin: 3 }), runOn: "every" });
  world.propose({ kind: "submit-allocation", allocation: { id: JOB, spec, dependencies: [] } });
  world.place();
  for (const round of rounds) {
    world.now = millis(world.now + 1_000);
    const reports = round.map((phase, i) => {
      return { node: NODES[i] ?? nodeId(""), report: { allocation: JOB, attempt: 1, ...phase } };
    });
    if (isTogether) world.propose({ kind: "record-node-reports", reports });
    else for (const { node, report } of reports) world.propose({ kind: "record-reports", node, reports: [report] });
  }
  const record = world.state.tables.allocations.get(JOB);
  if (!record) throw new Error("the job has a record");
  const held = viewOf(world.state).nodes.filter(({ claimCount }) => claimCount > 0);
  expect(held).toHaveLength(record.state === "running" ? NODES.length : 0);
  const { version: _version, stopping: _stopping, ...rest } = record;
  return rest;
}

const all = (phase: Phase): readonly Phase[] => NODES.map(() => phase);
const RUNNING = all({ phase: "running" });

describe("reports together and one by one", () => {
  test.each<[string, readonly (readonly Phase[])[], string]>([
    ["a start", [RUNNING], "running"],
    ["a good end", [RUNNING, all({ phase: "ended", exitCode: 0 })], "completed"],
    ["a bad end", [RUNNING, all({ phase: "ended", exitCode: 3 })], "failed"],
    ["an end by walltime", [RUNNING, all({ phase: "ended", cause: "walltime", signal: 15 })], "failed"],
    [
      "the end of two, then the last",
      [RUNNING, RUNNING.slice(1).map(() => ({ phase: "ended", exitCode: 0 }))],
      "running",
    ],
    ["an end before any start was reported", [all({ phase: "ended", exitCode: 0 })], "completed"],
  ])("%s is the same", (_name, rounds, state) => {
    const together = played(rounds, true);
    expect(together.state as string).toBe(state);
    expect(played(rounds, false)).toEqual(together);
  });
});
