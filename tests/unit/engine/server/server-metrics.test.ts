/**
 * Shows that the counts which a server tells follow the state without a walk over it, that
 * the longest silence is found among many agents, and that requests count once.
 */
import { expect, test } from "bun:test";
import { logIndex, millis } from "../../../../src/base/brand.ts";
import { allocationId, nodeId, shortId, tenantId, userId, vclusterId } from "../../../../src/core/domain/ids.ts";
import type { AllocationState } from "../../../../src/core/domain/lifecycle.ts";
import type { StateEvent } from "../../../../src/core/state/events.ts";
import { emptyState } from "../../../../src/core/state/state.ts";
import { AgentSilence } from "../../../../src/engine/server/agent-silence-metrics.ts";
import { meterRequest } from "../../../../src/engine/server/request-metrics.ts";
import { StateCensus } from "../../../../src/engine/server/state-census-metrics.ts";
import type { Metrics } from "../../../../src/ports/metrics.ts";
import { NO_METRICS } from "../../../../src/ports/metrics.ts";
import { keepingLogger } from "../../../fixtures/peer-networks.ts";

const at = { index: logIndex(1), at: millis(0) };

function moved(to: AllocationState, from?: AllocationState, vcluster = "default"): StateEvent {
  return {
    kind: "allocation-changed",
    ...at,
    allocation: allocationId("00000000-0000-4000-8000-000000000001"),
    shortId: shortId(1),
    tenant: tenantId("default"),
    vcluster: vclusterId(vcluster),
    user: userId("alice"),
    ...(from && { from }),
    to,
    message: "",
    isSensitive: false,
  };
}

test("the census follows an allocation from its birth to its end, and returns the ends", () => {
  const census = new StateCensus();
  census.take(emptyState());
  expect(census.allocations.get("pending")).toBe(0);
  expect(census.follow([moved("pending"), moved("pending"), moved("staging", "pending")])).toEqual([]);
  expect(Object.fromEntries(census.allocations)).toMatchObject({ pending: 1, staging: 1, running: 0 });
  expect([...census.pendingByVCluster()]).toEqual([["default", 1]]);
  const ended = census.follow([moved("running", "staging"), moved("failed", "running")]);
  expect(ended.map(({ to }) => to)).toEqual(["failed"]);
  expect(Object.fromEntries(census.allocations)).toMatchObject({ pending: 1, staging: 0, running: 0 });
  expect(census.allocations.has("failed")).toBe(false);
});

test("the census follows nodes, and forgets what it knew when it takes another state", () => {
  const census = new StateCensus();
  census.take(emptyState());
  const node = { kind: "node-changed", ...at, node: nodeId("n1"), reason: "" } as const;
  census.follow([{ ...node, to: "booting" }, { ...node, from: "booting", to: "ready" }, moved("pending")]);
  expect(Object.fromEntries(census.nodes)).toMatchObject({ booting: 0, ready: 1, down: 0 });
  census.take(emptyState());
  expect(census.nodes.get("ready")).toBe(0);
  expect(census.allocations.get("pending")).toBe(0);
});

test("however many vClusters there are, the queues are told in at most 101 series", () => {
  const census = new StateCensus();
  census.take(emptyState());
  census.follow(Array.from({ length: 150 }, (_, i) => moved("pending", undefined, `v${i}`)));
  const told = census.pendingByVCluster();
  expect(told.size).toBe(101);
  expect(told.get("_other")).toBe(50);
});

test("the longest silence is that of the agent heard first, until it is heard again or goes", () => {
  const silence = new AgentSilence();
  const [a, b] = [nodeId("a"), nodeId("b")];
  expect(silence.longest(0)).toBeUndefined();
  expect(silence.heard(a, 0)).toBeUndefined();
  silence.heard(b, 10);
  expect(silence.longest(100)).toBe(100);
  expect(silence.heard(a, 100)).toBe(100);
  expect(silence.longest(110)).toBe(100);
  silence.gone(b);
  expect(silence.longest(110)).toBe(10);
});

test("a request counts once, with its first outcome", () => {
  const counted: unknown[] = [];
  const metrics: Metrics = { ...NO_METRICS, count: (name, labels) => void counted.push([name, labels]) };
  const clock = { now: () => millis(0), monotonic: () => 0, after: () => () => {}, every: () => () => {} };
  const request = meterRequest(
    { metrics, clock, log: keepingLogger([]) },
    { face: "rest", operation: "allocation.read", requestId: "r1" },
  );
  request.end("ok");
  request.end("INTERNAL");
  const labels = { face: "rest", operation: "allocation.read", code: "ok" };
  expect(counted).toEqual([["lattice_api_requests_total", labels]]);
});
