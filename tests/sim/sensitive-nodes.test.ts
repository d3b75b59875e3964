/** Shows that the checker of sensitive nodes sees what it is for: foreign work on a claimed node, and work on one that is to be wiped. */
import { expect, test } from "bun:test";
import { millis } from "../../src/base/brand.ts";
import { allocationId, nodeId, userId } from "../../src/core/domain/ids.ts";
import type { Node } from "../../src/core/domain/node.ts";
import { Findings } from "../../src/sim/checkers/findings.ts";
import { checkSensitiveNodes } from "../../src/sim/checkers/sensitive-nodes.ts";
import { aSpec } from "../fixtures/builders.ts";
import { StateWorld } from "../fixtures/state-world.ts";

const NODE = nodeId("n1");

/** Returns what is found where a node runs work of ada and has these facts, which no command would give it. */
function found(facts: Partial<Node>): string | undefined {
  const world = new StateWorld();
  const capacity = { cpus: 4, memoryBytes: 2 ** 33, gpuMilli: 0, gpuType: "", features: [], group: 0 };
  const registration = { nodeId: NODE, instanceId: "i", agentVersion: "1", address: "n1:1", capacity };
  world.propose({ kind: "register-node", registration, issues: [] });
  const health = { kind: "set-node-health", node: NODE, health: "ready", reason: "", issues: [] } as const;
  world.propose({ ...health, isolatedUntil: millis(0) });
  const allocation = { id: allocationId("a"), spec: aSpec(), dependencies: [] };
  world.propose({ kind: "submit-allocation", allocation });
  world.place();
  const node = world.state.tables.nodes.get(NODE);
  if (node) world.state.tables.nodes.put(NODE, { ...node, ...facts });
  const findings = new Findings();
  checkSensitiveNodes(findings, world.state);
  return findings.first?.text;
}

test("INV-S6: the checker sees foreign work on a claimed node and any work on one that is to be wiped", () => {
  const claimOf = (user: string) => ({ sensitiveClaim: { user: userId(user), since: millis(0) } });
  expect(found({})).toBeUndefined();
  expect(found(claimOf("ada"))).toBeUndefined();
  expect(found(claimOf("cleo"))).toBe("node n1 is claimed by cleo and runs a of ada");
  expect(found({ wipe: { id: 1, hasFailed: false } })).toBe("node n1 is to be wiped and runs a");
});
