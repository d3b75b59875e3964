/** Shows which nodes are chosen for one demand, and that feature counts are met first. */
import { expect, test } from "bun:test";
import { nodeId } from "../../../../src/core/domain/ids.ts";
import type { ResourceRequest } from "../../../../src/core/domain/resources.ts";
import { coverFeatures } from "../../../../src/core/scheduler/cover-features.ts";
import { demandOf } from "../../../../src/core/scheduler/demand.ts";
import { indexNodes } from "../../../../src/core/scheduler/node-index.ts";
import { selectNodes } from "../../../../src/core/scheduler/select-nodes.ts";
import { aCapacity, aPending, aRequest, aView } from "../../../fixtures/builders.ts";

const NODES = ["", "ib", "ib,nvme", "nvme", ""].map((features, i) => ({
  id: nodeId(`n${i}`),
  capacity: aCapacity({ features: features.split(",").filter(Boolean) }),
}));

const demand = (fields: Partial<ResourceRequest>) =>
  demandOf(indexNodes(aView({ nodes: NODES })), aPending(1, "a", { request: aRequest(fields) }), { isShared: false });

const chosen = (fields: Partial<ResourceRequest>) => {
  const selection = selectNodes(demand(fields));
  return selection && { nodes: selection.picks.map(({ node }) => String(node.view.id)), needed: selection.needed };
};

test("without constraints the first nodes by id are chosen, up to the most asked for", () => {
  expect(chosen({ nodesMin: 1, nodesMax: 3 })).toEqual({ nodes: ["n0", "n1", "n2"], needed: 1 });
  expect(chosen({ nodesMin: 5, nodesMax: 9 })?.nodes).toHaveLength(5);
  expect(chosen({ nodesMin: 6, nodesMax: 6 })).toBeUndefined();
});

test("a node with two of the features counts for both", () => {
  const featureCounts = { ib: 1, nvme: 1 };
  expect(chosen({ nodesMin: 1, nodesMax: 1, featureCounts })).toEqual({ nodes: ["n2"], needed: 1 });
});

test("feature counts may need more nodes than the least asked for, but not more than the most", () => {
  const featureCounts = { ib: 2, nvme: 2 };
  expect(chosen({ nodesMin: 1, nodesMax: 3, featureCounts })).toEqual({ nodes: ["n1", "n2", "n3"], needed: 3 });
  expect(chosen({ nodesMin: 1, nodesMax: 2, featureCounts })).toBeUndefined();
});

test("a count that cannot be met covers nothing", () => {
  const three = demand({ nodesMin: 3, nodesMax: 3, featureCounts: { ib: 3 } });
  expect(
    coverFeatures(
      three,
      three.offers.map(({ of }) => of.ready),
    ),
  ).toBeUndefined();
});
