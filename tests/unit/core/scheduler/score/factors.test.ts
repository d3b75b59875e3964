/** Shows each of the nine factors, and the budget penalty, at values worked out from its formula, and that all stay in 0..1. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { backlogFactor, nodeHours } from "../../../../../src/core/scheduler/score/backlog.ts";
import { budgetPenalty } from "../../../../../src/core/scheduler/score/budget-penalty.ts";
import { checkpointFactor } from "../../../../../src/core/scheduler/score/checkpoint.ts";
import { conformanceFactor } from "../../../../../src/core/scheduler/score/conformance.ts";
import { dataReadinessFactor } from "../../../../../src/core/scheduler/score/data-readiness.ts";
import { energyFactor } from "../../../../../src/core/scheduler/score/energy.ts";
import { fairShareFactor } from "../../../../../src/core/scheduler/score/fair-share.ts";
import { priorityFactor } from "../../../../../src/core/scheduler/score/priority.ts";
import { topologyFactor } from "../../../../../src/core/scheduler/score/topology.ts";
import { overdue, waitTimeFactor } from "../../../../../src/core/scheduler/score/wait-time.ts";
import { WEIGHT_PROFILES } from "../../../../../src/core/scheduler/score/weight-profiles.ts";
import { holds } from "../../../../fixtures/property-runs.ts";

const HOUR = 3_600_000;

describe("f1, priority, is a tenth of the class", () => {
  test.each([
    [0, 0],
    [5, 0.5],
    [10, 1],
  ])("class %d counts %d", (preemptionClass, expected) => {
    expect(priorityFactor(preemptionClass)).toBe(expected);
  });
});

describe("f2, wait, is ln(1 + hours) / ln(169), full after a week", () => {
  test.each([
    [-HOUR, 0],
    [0, 0],
    [HOUR, Math.log(2) / Math.log(169)],
    [12 * HOUR, 0.5],
    [168 * HOUR, 1],
    [1_000 * HOUR, 1],
  ])("%d ms count %d", (waited, expected) => {
    expect(waitTimeFactor(waited)).toBeCloseTo(expected, 14);
  });
});

describe("what has waited for more than a week is due a tenth a day", () => {
  test.each([
    [0, 0],
    [168 * HOUR, 0],
    [192 * HOUR, 0.1],
    [408 * HOUR, 1],
  ])("%d ms count %d", (waited, expected) => {
    expect(overdue(waited)).toBeCloseTo(expected, 14);
  });
});

describe("f3, fair share, is how far a tenant is below its target", () => {
  const plain = { target: 0.4, tenantUsage: 0.1, utilisation: 1 };
  test.each([
    ["below it", plain, (0.4 - 0.1) / 0.4],
    ["at it", { ...plain, tenantUsage: 0.4 }, 0],
    ["above it", { ...plain, tenantUsage: 0.9 }, 0],
    ["without a target", { ...plain, target: 0 }, 0.5],
    ["with a burst into an empty machine", { ...plain, burstAllowance: 1.5, utilisation: 0 }, (0.6 - 0.1) / 0.6],
    ["with a burst into half of the room", { ...plain, burstAllowance: 1.5, utilisation: 0.4 }, (0.5 - 0.1) / 0.5],
    ["with a burst into a busy machine", { ...plain, burstAllowance: 1.5, utilisation: 0.8 }, 0.75],
    ["with a burst that is none", { ...plain, burstAllowance: 0.5, utilisation: 0 }, 0.75],
    ["of which the user used a quarter", { ...plain, userUsage: 0.25 }, 0.5 * 0.75 + 0.5 * 0.75],
    ["of which the user used all", { ...plain, userUsage: 1 }, 0.5 * 0.75],
  ])("%s", (_name, input, expected) => {
    expect(fairShareFactor(input)).toBeCloseTo(expected, 14);
  });
});

describe("f4, topology, is how few of the groups it needs", () => {
  const FOUR = [16, 16, 16, 16];
  test.each([
    ["one node of four groups", { nodes: 1, groupSizes: FOUR }, 0.3 * 0.75 + 0.7 * 0.5],
    ["a whole group", { nodes: 16, groupSizes: FOUR }, 0.7 * 0.75 + 0.3 * 0.5],
    ["one node more", { nodes: 17, groupSizes: FOUR }, 0.7 * 0.5 + 0.3 * 0.5],
    ["as many where the largest group has them", { nodes: 17, groupSizes: [40, 8, 8, 8] }, 0.7 * 0.75 + 0.3 * 0.5],
    ["the machine", { nodes: 64, groupSizes: FOUR }, 0.3 * 0.5],
    ["more than there is", { nodes: 99, groupSizes: FOUR }, 0.3 * 0.5],
    ["no groups", { nodes: 8, groupSizes: [] }, 0.5],
    ["one group, one node", { nodes: 1, groupSizes: [64] }, 0.5],
    ["one group, all nodes", { nodes: 64, groupSizes: [64] }, 0.5],
    ["unified memory", { nodes: 16, groupSizes: FOUR, locality: 1 }, 0.7 * 0.75 + 0.3],
  ])("%s", (_name, input, expected) => {
    expect(topologyFactor(input)).toBeCloseTo(expected, 14);
  });
});

describe("f5, data, is the fraction that is ready", () => {
  test.each([
    [undefined, 0.5],
    [0, 0],
    [0.3, 0.3],
    [7, 1],
  ])("%p counts %d", (ready, expected) => {
    expect(dataReadinessFactor(ready)).toBe(expected);
  });
});

describe("f6, backlog, is what waits for each hour that runs", () => {
  test.each([
    [{ queuedHours: 5, runningHours: 0 }, 0],
    [{ queuedHours: 0, runningHours: 8 }, 0],
    [{ queuedHours: 4, runningHours: 8 }, 0.5],
    [{ queuedHours: 0.25, runningHours: 0.5 }, 0.25],
    [{ queuedHours: 99, runningHours: 8 }, 1],
  ])("%p counts %d", (backlog, expected) => {
    expect(backlogFactor(backlog)).toBe(expected);
  });

  test("hours are counted to the part, and work without end as a day", () => {
    expect([nodeHours(4, HOUR / 2), nodeHours(2, 0)]).toEqual([2, 48]);
  });
});

describe("f7, energy, is what is not paid", () => {
  test.each([
    [0, 1],
    [0.25, 0.75],
    [3, 0],
  ])("a price of %d counts %d", (price, expected) => {
    expect(energyFactor(price)).toBe(expected);
  });
});

describe("f8, checkpoint, is 1 / (1 + minutes)", () => {
  test.each([
    ["auto", 1 / 6],
    ["manual", 1 / 11],
    ["none", 0],
  ] as const)("%s counts %d", (way, expected) => {
    expect(checkpointFactor(way)).toBe(expected);
  });
});

describe("f9, conformance, is the largest group of one make, never more than 1", () => {
  test.each([
    [undefined, 4, 0.5],
    [3, 4, 0.75],
    [9, 4, 1],
    [0, 4, 0],
    [2, 0, 1],
  ])("%p for %d nodes counts %d", (largest, nodes, expected) => {
    expect(conformanceFactor(largest, nodes)).toBe(expected);
  });
});

describe("the budget leaves", () => {
  test.each([
    [0, 1],
    [0.8, 1],
    [0.9, 0.05 + (0.95 * (1 + Math.SQRT1_2)) / 2],
    [1, 0.05 + 0.95 / 2],
    [1.1, 0.05 + (0.95 * (1 - Math.SQRT1_2)) / 2],
    [1.2, 0.05],
    [Number.POSITIVE_INFINITY, 0.05],
  ])("of a budget used to %d: %d", (used, expected) => {
    expect(budgetPenalty(used)).toBeCloseTo(expected, 14);
  });
});

test("no factor leaves 0..1, whatever it is given", () => {
  const real = fc.double({ min: -1e9, max: 1e9, noNaN: true });
  const count = fc.integer({ min: 0, max: 100_000 });
  holds(
    fc.property(real, real, real, count, count, (x, y, z, n, m) => {
      const all = [
        priorityFactor(x),
        waitTimeFactor(x),
        fairShareFactor({ target: x, burstAllowance: y, tenantUsage: z, utilisation: x, userUsage: y }),
        topologyFactor({ nodes: n, groupSizes: [n, m, 1], locality: x }),
        dataReadinessFactor(x),
        backlogFactor({ queuedHours: Math.abs(x), runningHours: y }),
        energyFactor(x),
        conformanceFactor(n, m),
        budgetPenalty(x),
      ];
      for (const factor of all) expect(factor).toBeWithin(0, 1.000_000_001);
    }),
  );
});

test("the weights of every profile add up to 1", () => {
  for (const weights of Object.values(WEIGHT_PROFILES)) {
    expect(Object.values(weights).reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
  }
});
