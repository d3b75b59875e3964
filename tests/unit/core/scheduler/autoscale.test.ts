/** When a service grows or shrinks: a table of looks a minute apart, from the documented times. */
import { describe, expect, test } from "bun:test";
import type { ScaleMemory } from "../../../../src/core/scheduler/autoscale.ts";
import { DEFAULT_SCALE_POLICY, decideScale } from "../../../../src/core/scheduler/autoscale.ts";

interface Service {
  readonly nodes?: number;
  readonly nodesMin?: number;
  readonly nodesMax?: number;
  readonly scaledAt?: number;
}

const MINUTE = 60_000;

/** Looks once a minute and returns what is done at each look; the service takes each change. */
function looks(values: readonly (number | undefined)[], service: Service = {}): readonly string[] {
  let memory: ScaleMemory = {};
  let { nodes = 2, scaledAt } = service;
  return values.map((value, minute) => {
    const now = minute * MINUTE;
    const look = {
      now,
      value,
      target: 10,
      nodes,
      nodesMin: service.nodesMin ?? 1,
      nodesMax: service.nodesMax ?? 4,
      scaledAt,
    };
    const verdict = decideScale(DEFAULT_SCALE_POLICY, memory, look);
    memory = verdict.memory;
    if (verdict.change !== "none") {
      nodes += verdict.change === "grow" ? 1 : -1;
      scaledAt = now;
    }
    return verdict.change;
  });
}

describe("decideScale", () => {
  test.each([
    ["above the target for two minutes: a node more", [11, 11, 11], {}, ["none", "none", "grow"]],
    ["a break begins the two minutes anew", [11, 11, 9, 11, 11], {}, ["none", "none", "none", "none", "none"]],
    ["what is not measured is a break", [11, 11, undefined, 11, 11], {}, ["none", "none", "none", "none", "none"]],
    ["below half of the target for five: one less", [4, 4, 4, 4, 4, 4], {}, [...Array(5).fill("none"), "shrink"]],
    ["between half and all of it nothing happens", [5, 10, 5, 10, 5, 10], {}, Array(6).fill("none")],
    ["no more than the most", [11, 11, 11], { nodes: 4 }, Array(3).fill("none")],
    ["no less than the least", Array(7).fill(1), { nodes: 1 }, Array(7).fill("none")],
    [
      "after a change it is left alone for three minutes",
      Array(6).fill(11),
      {},
      ["none", "none", "grow", "none", "none", "grow"],
    ],
    ["also after one that another leader made", [11, 11, 11, 11], { scaledAt: 0 }, ["none", "none", "none", "grow"]],
  ])("%s", (_what, values, service, expected) => {
    expect(looks(values, service)).toEqual(expected);
  });
});
