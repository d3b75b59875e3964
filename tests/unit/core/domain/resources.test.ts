/** Shows what a request claims of a node: all of it, or a share where the vCluster shares nodes. */
import { expect, test } from "bun:test";
import { nodeId } from "../../../../src/core/domain/ids.ts";
import { asksForWholeNode, claimOn, fits } from "../../../../src/core/domain/resources.ts";
import { aCapacity, aRequest, GIBIBYTE } from "../../../fixtures/builders.ts";

const N0 = nodeId("n0");
const CAPACITY = aCapacity({ cpus: 8, memoryBytes: 32 * GIBIBYTE, gpuMilli: 2_000 });
const ALL = { nodeId: N0, cpus: 8, memoryBytes: 32 * GIBIBYTE, gpuMilli: 2_000, isExclusive: true };

test("without sharing the claim is the whole node, whatever the amounts", () => {
  const request = aRequest({ perNode: { cpus: 2, memoryBytes: 0, gpuMilli: 0 } });
  expect(claimOn(request, { id: N0, capacity: CAPACITY }, false)).toEqual(ALL);
});

test("a request without amounts, and an exclusive one, ask for whole nodes also where nodes are shared", () => {
  const exclusive = aRequest({ perNode: { cpus: 1, memoryBytes: 0, gpuMilli: 0 }, isExclusive: true });
  expect(claimOn(aRequest(), { id: N0, capacity: CAPACITY }, true)).toEqual(ALL);
  expect(claimOn(exclusive, { id: N0, capacity: CAPACITY }, true)).toEqual(ALL);
  expect(asksForWholeNode(exclusive)).toBe(true);
});

test("memory that was not asked for comes in proportion to the processors", () => {
  const request = aRequest({ perNode: { cpus: 2, memoryBytes: 0, gpuMilli: 500 } });
  expect(claimOn(request, { id: N0, capacity: CAPACITY }, true)).toEqual({
    nodeId: N0,
    cpus: 2,
    memoryBytes: 8 * GIBIBYTE,
    gpuMilli: 500,
    isExclusive: false,
  });
});

test("a share has at least one processor", () => {
  const request = aRequest({ perNode: { cpus: 0, memoryBytes: GIBIBYTE, gpuMilli: 0 } });
  expect(claimOn(request, { id: N0, capacity: CAPACITY }, true)).toMatchObject({
    cpus: 1,
    memoryBytes: GIBIBYTE,
    isExclusive: false,
  });
});

test("a need fits when every component does", () => {
  const free = { cpus: 2, memoryBytes: 2, gpuMilli: 2 };
  expect(fits(free, free)).toBe(true);
  for (const over of ["cpus", "memoryBytes", "gpuMilli"]) expect(fits({ ...free, [over]: 3 }, free)).toBe(false);
});
