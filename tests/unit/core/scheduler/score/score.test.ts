/** Shows that a score is the weighed sum of its factors times the penalty, and that equal scores stand in the order of submission. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { millis } from "../../../../../src/base/brand.ts";
import { nodeId, shortId, tenantId, userId, vclusterId } from "../../../../../src/core/domain/ids.ts";
import { claimOn } from "../../../../../src/core/domain/resources.ts";
import { DEFAULT_WEIGHTS } from "../../../../../src/core/domain/tenant.ts";
import type { ClusterView } from "../../../../../src/core/domain/view.ts";
import { EASY_POLICY } from "../../../../../src/core/scheduler/policy.ts";
import { headOfQueue, rankedQueue } from "../../../../../src/core/scheduler/queue.ts";
import { Scorer } from "../../../../../src/core/scheduler/score/score.ts";
import { WEIGHT_PROFILES } from "../../../../../src/core/scheduler/score/weight-profiles.ts";
import { Usage } from "../../../../../src/core/state/usage.ts";
import type { ViewParts } from "../../../../fixtures/builders.ts";
import { aCapacity, aPending, aRequest, aRunning, aVCluster, aView } from "../../../../fixtures/builders.ts";
import { holds } from "../../../../fixtures/property-runs.ts";

const HOUR = 3_600_000;
const NOW = millis(1_000 * HOUR);
const RED = tenantId("red");
const ADA = userId("ada");

const node = (i: number) => ({ id: nodeId(`n${i}`), capacity: aCapacity({ group: i % 2 }) });
const NODES = [0, 1, 2, 3].map(node);

const heldBy = (tenant: typeof RED, i: number) => {
  const claim = claimOn(aRequest(), node(i), false);
  return aRunning(`r${i}`, [claim], { tenant, walltimeMs: millis(4 * HOUR), startedAt: NOW });
};

const scoreOf = (view: ClusterView, n = 0) => {
  const pending = [...view.pending()][n];
  if (!pending) throw new Error("the queue is empty");
  return new Scorer(view, { now: NOW, energyPrice: 0.25, queue: [...view.pending()] }).score(pending);
};

const PARTS: ViewParts = {
  nodes: NODES,
  tenants: [{ id: RED, quota: { nodesMax: 9, fairShareTarget: 0.5, nodeHoursBudget: 100 } }],
  running: [heldBy(RED, 0)],
  pending: [
    aPending(1, "a", {
      tenant: RED,
      preemptionClass: 7,
      submittedAt: millis(NOW - 12 * HOUR),
      request: aRequest({ nodesMin: 2 }),
      walltimeMs: millis(HOUR),
      checkpoint: "auto",
    }),
  ],
};

describe("the factors of an allocation", () => {
  test("come from the view", () => {
    const { factors, penalty } = scoreOf(aView(PARTS));
    expect(factors).toEqual({
      priority: 0.7,
      waitTime: expect.closeTo(0.5, 12),
      fairShare: (0.5 - 0.25) / 0.5,
      topology: 0.7 * 0.5 + 0.3 * 0.5,
      dataReadiness: 0.5,
      backlog: 0.5,
      energy: 0.75,
      checkpointEfficiency: 1 / 6,
      conformance: 0.5,
    });
    expect(penalty).toBe(1);
  });

  test("are weighed with the weights of its vCluster", () => {
    const { total, factors } = scoreOf(aView(PARTS));
    const sum = Object.entries(DEFAULT_WEIGHTS).reduce((all, [name, w]) => all + w * Reflect.get(factors, name), 0);
    expect(total).toBeCloseTo(sum, 12);
    const vcluster = aVCluster(vclusterId("default"), { weights: WEIGHT_PROFILES.sensitive });
    expect(scoreOf(aView({ ...PARTS, vclusters: [vcluster] })).total).toBeCloseTo(0.9 * 0.7 + 0.1 * 0.5, 12);
  });

  test("count recorded use where there is any, by tenant and user, and the budget that it has eaten", () => {
    const usage = new Usage();
    const work = { nodes: 10, gpuMilli: 0, startedAt: millis(NOW - 11 * HOUR), endedAt: millis(NOW - HOUR) };
    usage.record({ ...work, tenant: RED, user: ADA });
    usage.record({ ...work, tenant: tenantId("blue"), user: ADA, nodes: 30 });
    const { factors, penalty } = scoreOf({ ...aView(PARTS), usage });
    expect(factors.fairShare).toBeCloseTo(0.5 * 0.5 + 0.5 * 0, 12);
    expect(penalty).toBeCloseTo(0.05 + 0.95 / 2, 12);
  });
});

describe("the queue by score", () => {
  const byScore = { ...EASY_POLICY, order: "score" as const };
  const order = (parts: ViewParts) => [...rankedQueue(aView(parts), byScore, NOW)].map(({ id }) => String(id));

  test("puts the higher score first, whatever the class", () => {
    const pending = [
      aPending(1, "urgent", { preemptionClass: 9, submittedAt: NOW }),
      aPending(2, "patient", { preemptionClass: 4, submittedAt: millis(NOW - 168 * HOUR) }),
      aPending(3, "usual", { preemptionClass: 5, submittedAt: millis(NOW - HOUR) }),
    ];
    expect(order({ nodes: NODES, pending })).toEqual(["patient", "urgent", "usual"]);
  });

  test("breaks ties by submission, then by id", () => {
    const pending = [3, 1, 2].map((n) => aPending(n, `p${n}`, { submittedAt: NOW }));
    const same = ["b", "a"].map((name) => ({ ...aPending(9, name, { submittedAt: NOW }), shortId: shortId(9) }));
    expect(order({ nodes: NODES, pending: [...pending, ...same] })).toEqual(["p1", "p2", "p3", "a", "b"]);
  });

  test("has the same head, however little of it is looked at", () => {
    const one = fc.record({ preemptionClass: fc.integer({ min: 0, max: 3 }), hours: fc.integer({ min: 0, max: 2 }) });
    holds(
      fc.property(fc.array(one, { maxLength: 20 }), fc.integer({ min: 1, max: 25 }), (all, depth) => {
        const pending = all.map(({ preemptionClass, hours }, n) =>
          aPending(n, `p${n}`, { preemptionClass, submittedAt: millis(NOW - hours * HOUR) }),
        );
        const view = aView({ nodes: NODES, pending });
        for (const policy of [byScore, EASY_POLICY]) {
          const head = [...headOfQueue(view, { ...policy, depth }, NOW)];
          expect(head).toEqual([...rankedQueue(view, policy, NOW)].slice(0, depth));
        }
      }),
    );
  });

  test("is the same for any order in which the queue is listed", () => {
    const one = fc.record({ preemptionClass: fc.integer({ min: 0, max: 10 }), hours: fc.integer({ min: 0, max: 4 }) });
    holds(
      fc.property(fc.array(one, { maxLength: 12 }), (all) => {
        const pending = all.map(({ preemptionClass, hours }, n) =>
          aPending(n, `p${n}`, { preemptionClass, submittedAt: millis(NOW - hours * HOUR) }),
        );
        const view = aView({ nodes: NODES, pending });
        const listed = [...view.pending()];
        const reversed = { ...view, pending: () => listed.toReversed() };
        const ids = (of: ClusterView) => [...rankedQueue(of, byScore, NOW)].map(({ id }) => id);
        expect(ids(reversed)).toEqual(ids(view));
      }),
    );
  });
});
