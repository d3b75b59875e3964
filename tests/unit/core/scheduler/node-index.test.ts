/** Shows that the index groups nodes that are alike and keeps what is free in the order in which it is taken. */
import { expect, test } from "bun:test";
import { nodeId, vclusterId } from "../../../../src/core/domain/ids.ts";
import type { Claim } from "../../../../src/core/domain/resources.ts";
import type { NodeClass, NodeIndex } from "../../../../src/core/scheduler/node-index.ts";
import { idleCount, indexNodes, placeOfCpus, takeNode } from "../../../../src/core/scheduler/node-index.ts";
import type { ViewParts } from "../../../fixtures/builders.ts";
import { aCapacity, aRunning, aVCluster, aView } from "../../../fixtures/builders.ts";

const node = (id: string, cpus = 8) => ({ id: nodeId(id), capacity: aCapacity({ cpus }) });

const share = (id: string, cpus: number): Claim => ({
  nodeId: nodeId(id),
  cpus,
  memoryBytes: 0,
  gpuMilli: 0,
  isExclusive: false,
});

const whole = (id: string): Claim => ({ ...share(id, 8), isExclusive: true });

function only(parts: ViewParts): { readonly index: NodeIndex; readonly members: NodeClass } {
  const index = indexNodes(aView(parts));
  const [members] = index.classes;
  if (!members || index.classes.length !== 1) throw new Error(`${index.classes.length} classes`);
  return { index, members };
}

const ids = (nodes: NodeClass["shared"]): readonly string[] => nodes.map(({ view }) => view.id);

test("nodes of equal capacity and dedication form one class, others another", () => {
  const vclusters = [aVCluster(vclusterId("own"), { dedicatedNodes: [nodeId("n3")] })];
  const { classes } = indexNodes(aView({ nodes: [node("n0"), node("n1", 16), node("n2"), node("n3")], vclusters }));
  expect(classes.map(({ total, dedicatedTo, capacity }) => [total, capacity.cpus, dedicatedTo])).toEqual([
    [2, 8, undefined],
    [1, 16, undefined],
    [1, 8, vclusterId("own")],
  ]);
});

test("idle nodes stand in the order of their ids, whatever the order of the view", () => {
  const { members } = only({ nodes: [node("n2"), node("n0"), node("n1")] });
  expect(ids(members.idle)).toEqual(["n0", "n1", "n2"]);
});

test("shared nodes stand with the fullest first, and full ones are not open", () => {
  const running = [
    aRunning("a", [share("n0", 2)]),
    aRunning("b", [share("n1", 6)]),
    aRunning("c", [share("n2", 8)]),
    aRunning("d", [whole("n3")]),
  ];
  const { members } = only({ nodes: [0, 1, 2, 3, 4].map((i) => node(`n${i}`)), running });
  expect(ids(members.shared)).toEqual(["n1", "n0"]);
  expect(ids(members.idle)).toEqual(["n4"]);
  expect(placeOfCpus(members, 3)).toBe(1);
});

test("nodes that may not be given work are counted by what keeps them out", () => {
  const nodes = [
    node("n0"),
    { ...node("n1"), state: "drained" as const },
    { ...node("n2"), state: "down" as const, isDisabled: true },
  ];
  const { members } = only({ nodes });
  expect([members.total, members.ready, [...members.unavailable]]).toEqual([
    3,
    1,
    [
      ["drained", 1],
      ["disabled", 1],
    ],
  ]);
});

test("a node taken whole is gone, a node taken in part moves to its place among the shared", () => {
  const { index, members } = only({ nodes: [node("n0"), node("n1"), node("n2")] });
  const [n0, n1, n2] = members.idle;
  if (!n0 || !n1 || !n2) throw new Error("three nodes are idle");
  takeNode(index, members, { node: n0, claim: share("n0", 2) });
  takeNode(index, members, { node: n1, claim: share("n1", 4) });
  takeNode(index, members, { node: n2, claim: whole("n2") });
  expect([ids(members.shared), idleCount(members), index.version]).toEqual([["n1", "n0"], 0, 3]);
  takeNode(index, members, { node: n0, claim: share("n0", 6) });
  expect(ids(members.shared)).toEqual(["n1"]);
});
