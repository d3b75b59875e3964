/**
 * Shows that a plan obeys what is set for it from outside on clusters and queues drawn at
 * random: dragonfly groups, makes, loans between vClusters, caps, reservations of
 * administrators, beginnings and deadlines, all at once and with nodes shared and whole.
 * A naive reading of each rule is the judge; what the judge saw is counted, so that a
 * property does not hold because nothing was drawn.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { logIndex, millis } from "../../src/base/brand.ts";
import { canonicalEncode } from "../../src/base/canonical-encode.ts";
import { nodeId, tenantId, userId, vclusterId } from "../../src/core/domain/ids.ts";
import type { NodeReservation } from "../../src/core/domain/nodes/node-reservation.ts";
import { admits, coversNode, isDuring } from "../../src/core/domain/nodes/node-reservation.ts";
import type { Claim } from "../../src/core/domain/resources.ts";
import { claimOn } from "../../src/core/domain/resources.ts";
import type { DrawCaps, VCluster } from "../../src/core/domain/tenant.ts";
import { borrowMaxOf, lendMaxOf, mayBorrow } from "../../src/core/domain/tenant.ts";
import type { PendingView, RunningView } from "../../src/core/domain/view.ts";
import type { Plan } from "../../src/core/scheduler/plan.ts";
import { decide, plan } from "../../src/core/scheduler/plan.ts";
import type { Policy } from "../../src/core/scheduler/policy.ts";
import { DEFAULT_POLICY, EASY_POLICY } from "../../src/core/scheduler/policy.ts";
import type { NodeFields, ViewParts } from "../fixtures/builders.ts";
import { aCapacity, aPending, aRequest, aRunning, aVCluster, aView, GIBIBYTE } from "../fixtures/builders.ts";
import { holds } from "../fixtures/property-runs.ts";

const MINUTE = 60_000;
const NOW = millis(100 * MINUTE);
const WATTS = 1_000;
const POLICIES: readonly (readonly [string, Policy])[] = [
  ["first come, first served", { ...EASY_POLICY, backfill: "none" }],
  ["EASY", EASY_POLICY],
  ["conservative", { ...EASY_POLICY, backfill: "conservative" }],
  ["the default", DEFAULT_POLICY],
];
const TENANTS = ["red", "blue"].map(tenantId);
const [BORROWER, LENDER, SHARES] = ["borrower", "lender", "shares"].map(vclusterId) as [
  VCluster["id"],
  VCluster["id"],
  VCluster["id"],
];
const VCLUSTERS = [BORROWER, LENDER, SHARES];
const minutes = (from: number, to: number) => fc.integer({ min: from, max: to }).map((n) => n * MINUTE);
const sometimes = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 2 });

const nodes: fc.Arbitrary<readonly NodeFields[]> = fc
  .array(
    fc.record({
      group: fc.integer({ min: 0, max: 2 }),
      conformance: fc.constantFrom("a", "b", undefined),
      features: fc.subarray(["ib"]),
    }),
    { minLength: 1, maxLength: 10 },
  )
  .map((all) =>
    all.map(({ conformance, ...rest }, i) => ({
      id: nodeId(`n${i}`),
      capacity: aCapacity({
        ...rest,
        cpus: 8,
        memoryBytes: 8 * GIBIBYTE,
        powerWatts: WATTS,
        ...(conformance !== undefined && { conformance }),
      }),
    })),
  );

const submission = fc.record({
  nodesMin: fc.integer({ min: 1, max: 4 }),
  extra: fc.integer({ min: 0, max: 2 }),
  cpus: fc.constantFrom(0, 2),
  topology: fc.constantFrom("any" as const, "tight" as const, "spread" as const),
  sameConformance: fc.boolean(),
  storageMbps: fc.constantFrom(0, 0, 300, 700),
  preemptionClass: fc.constantFrom(1, 5, 10),
  tenant: fc.constantFrom(...TENANTS),
  vcluster: fc.constantFrom(...VCLUSTERS),
  walltimeMs: fc.oneof(fc.constant(0), minutes(1, 90)),
  begin: sometimes(minutes(90, 110)),
  deadline: sometimes(minutes(101, 220)),
  isSensitive: fc.boolean(),
});

const pending = fc.array(submission, { maxLength: 14 }).map((all) =>
  all.map((one, i): PendingView => {
    const { nodesMin, extra, cpus, topology, sameConformance, storageMbps, begin, deadline, walltimeMs, ...rest } = one;
    const request = aRequest({
      nodesMin,
      nodesMax: nodesMin + extra,
      perNode: { cpus, memoryBytes: 0, gpuMilli: 0 },
      topology,
      ...(sameConformance && { needsConformance: true }),
      ...(storageMbps > 0 && { storageMbps }),
    });
    return aPending(i + 1, `p${i}`, {
      ...rest,
      request,
      walltimeMs: millis(walltimeMs),
      ...(begin !== undefined && { notBefore: millis(begin) }),
      ...(deadline !== undefined && { deadline: millis(deadline) }),
    });
  }),
);

const reservations = fc
  .array(
    fc.record({
      from: minutes(80, 160),
      length: minutes(1, 60),
      nodes: fc.subarray(["n0", "n1", "n2", "n3"].map(nodeId)),
      features: fc.constantFrom<readonly string[]>([], ["ib"]),
      tenant: sometimes(fc.constantFrom(...TENANTS)),
    }),
    { maxLength: 2 },
  )
  .map((all) =>
    all.map(({ from, length, nodes, features, tenant }, i): NodeReservation => {
      const who = { users: [], reason: "", createdBy: userId("root"), ...(tenant && { tenant }) };
      const span = { from: millis(from), until: millis(from + length) };
      return { name: `r${i}`, version: logIndex(1), nodes, features, ...span, ...who };
    }),
  );

const caps: fc.Arbitrary<DrawCaps> = fc
  .record({
    powerWatts: sometimes(fc.integer({ min: 1, max: 8 }).map((n) => n * WATTS)),
    storageMbps: sometimes(fc.constantFrom(500, 1_000)),
  })
  .map(({ powerWatts, storageMbps }) => ({
    ...(powerWatts !== undefined && { powerWatts }),
    ...(storageMbps !== undefined && { storageMbps }),
  }));

interface Drawn {
  readonly parts: ViewParts;
  readonly caps: DrawCaps;
}

const cluster: fc.Arbitrary<Drawn> = fc
  .record({
    nodes,
    pending,
    reservations,
    caps,
    lenderCaps: caps,
    busy: fc.array(fc.option(minutes(1, 60), { nil: undefined }), { maxLength: 4 }),
    dedicated: fc.subarray(["n0", "n1", "n2", "n3", "n4"].map(nodeId)),
    lendPart: fc.constantFrom(0, 0.4, 1),
    borrowNodesMax: fc.constantFrom(0, 1, 3),
  })
  .map(({ nodes, busy, dedicated, lendPart, borrowNodesMax, lenderCaps, caps, ...rest }) => ({
    caps,
    parts: {
      ...rest,
      nodes,
      running: nodes.flatMap((node, i) => runningOn(node, busy[i])),
      tenants: TENANTS.map((id, i) => ({ id, quota: { nodesMax: 4 + 3 * i, fairShareTarget: 0 } })),
      vclusters: [
        aVCluster(BORROWER, { allowsBorrowing: borrowNodesMax > 0, borrowNodesMax }),
        aVCluster(LENDER, { dedicatedNodes: dedicated, allowsLending: lendPart > 0, lendPart, caps: lenderCaps }),
        aVCluster(SHARES, { sharesNodes: true }),
      ],
    },
  }));

/** Work of the lender, so that no loan is in force before the pass. */
function runningOn({ id, capacity }: NodeFields, left: number | undefined): readonly RunningView[] {
  if (left === undefined) return [];
  const claim = claimOn(aRequest(), { id, capacity }, false);
  const span = { startedAt: NOW, walltimeMs: millis(left) };
  return [aRunning(`r-${id}`, [claim], { tenant: tenantId("red"), vcluster: LENDER, storageMbps: 100, ...span })];
}

interface Placement {
  readonly work: PendingView;
  readonly claims: readonly Claim[];
}

/** Calls `check` with what is planned for random clusters, and says how often `check` had something to judge. */
function forEachPlan(
  policy: Policy,
  check: (drawn: Drawn, placements: readonly Placement[], planned: Plan) => number,
): number {
  let judged = 0;
  const property = fc.property(cluster, (drawn) => {
    const planned = plan(aView(drawn.parts), { ...policy, caps: drawn.caps }, NOW);
    const placements = planned.decisions.map(({ allocation, claims }) => ({ work: find(drawn, allocation), claims }));
    judged += check(drawn, placements, planned);
  });
  holds(property);
  return judged;
}

function find({ parts }: Drawn, allocation: string): PendingView {
  const work = parts.pending?.find(({ id }) => id === allocation);
  if (!work) throw new Error(`${allocation} is not in the queue`);
  return work;
}

function capacityOf({ parts }: Drawn, { nodeId: id }: Claim): NodeFields {
  const node = parts.nodes?.find((known) => known.id === id);
  if (!node) throw new Error(`no node ${id}`);
  return node;
}

const endOf = (start: number, walltimeMs: number): number => (walltimeMs > 0 ? start + walltimeMs : Infinity);

describe.each(POLICIES)("a plan by %s", (_name, policy) => {
  test("starts nothing before its beginning, nor what would miss its deadline, and promises no such start", () => {
    const judged = forEachPlan(policy, (drawn, placements, { reservations }) => {
      for (const { work } of placements) {
        expect(work.notBefore ?? 0).toBeLessThanOrEqual(NOW);
        expect(NOW + work.walltimeMs).toBeLessThanOrEqual(work.deadline ?? Infinity);
      }
      for (const { allocation, startsBy } of reservations) {
        const { walltimeMs, deadline, notBefore } = find(drawn, allocation);
        expect(startsBy + walltimeMs).toBeLessThanOrEqual(deadline ?? Infinity);
        expect(startsBy).toBeGreaterThanOrEqual(notBefore ?? 0);
      }
      return placements.filter(({ work }) => work.deadline !== undefined || work.notBefore !== undefined).length;
    });
    expect(judged).toBeGreaterThan(0);
  });

  test("INV-S4: keeps off nodes that are reserved for others before it must have ended", () => {
    const judged = forEachPlan(policy, (drawn, placements) => {
      let near = 0;
      for (const { work, claims } of placements) {
        const end = endOf(NOW, work.walltimeMs);
        const closed = (drawn.parts.reservations ?? []).filter((one) => !admits(one, work) && isDuring(one, NOW, end));
        const taken = claims.map((claim) => capacityOf(drawn, claim));
        expect(taken.filter((node) => closed.some((one) => coversNode(one, node)))).toEqual([]);
        near += closed.length;
      }
      return near;
    });
    expect(judged).toBeGreaterThan(0);
  });

  test("borrows only from who lends, within both limits, and never for the highest class or what is sensitive", () => {
    const judged = forEachPlan(policy, (drawn, placements) => {
      const view = aView(drawn.parts);
      const lent = new Map<string, number>();
      const borrowed = new Map<string, number>();
      for (const { work, claims } of placements) {
        for (const { nodeId: id } of claims) {
          const owner = view.dedicatedTo(id);
          if (owner === undefined || owner === work.vcluster) continue;
          expect(mayBorrow(work)).toBe(true);
          lent.set(owner, (lent.get(owner) ?? 0) + 1);
          borrowed.set(work.vcluster, (borrowed.get(work.vcluster) ?? 0) + 1);
        }
      }
      for (const vcluster of drawn.parts.vclusters ?? []) {
        expect(lent.get(vcluster.id) ?? 0).toBeLessThanOrEqual(lendMaxOf(vcluster));
        expect(borrowed.get(vcluster.id) ?? 0).toBeLessThanOrEqual(borrowMaxOf(vcluster));
      }
      return lent.size;
    });
    expect(judged).toBeGreaterThan(0);
  });

  test("adds nothing to a cap that would be exceeded, of the cluster or of a vCluster", () => {
    const judged = forEachPlan(policy, (drawn, placements) => {
      const { running = [], vclusters = [] } = drawn.parts;
      let near = 0;
      for (const [limits, owner] of [
        [drawn.caps, undefined] as const,
        ...vclusters.map((v) => [v.caps ?? {}, v.id] as const),
      ]) {
        const counts = (vcluster: string) => owner === undefined || owner === vcluster;
        const added = placements.filter(({ work }) => counts(work.vcluster));
        const held = running.filter(({ vcluster }) => counts(vcluster));
        const power = [...held, ...added]
          .flatMap(({ claims }) => claims)
          .reduce((sum, c) => sum + wattsOf(drawn, c), 0);
        const own = added.reduce((sum, { work }) => sum + (work.request.storageMbps ?? 0), 0);
        const storage = held.reduce((sum, one) => sum + (one.storageMbps ?? 0), own);
        const addedPower = added.length > 0;
        if (addedPower) expect(power).toBeLessThanOrEqual((limits.powerWatts ?? Infinity) + 1e-6);
        if (own > 0) expect(storage).toBeLessThanOrEqual(limits.storageMbps ?? Infinity);
        if ((addedPower && limits.powerWatts !== undefined) || (own > 0 && limits.storageMbps !== undefined)) near++;
      }
      return near;
    });
    expect(judged).toBeGreaterThan(0);
  });

  test("places work on nodes of one make where it asks for that", () => {
    const judged = forEachPlan(policy, (drawn, placements) => {
      let several = 0;
      for (const { work, claims } of placements) {
        if (claims.length < 2 || !work.request.needsConformance) continue;
        const makes = new Set(claims.map((claim) => capacityOf(drawn, claim).capacity.conformance));
        expect(makes.size).toBe(1);
        expect(makes.has(undefined)).toBe(false);
        several++;
      }
      return several;
    });
    expect(judged).toBeGreaterThan(0);
  });

  test("is equal to the byte for equal arguments and any order of the nodes, also without reasons", () => {
    holds(
      fc.property(cluster, ({ parts, caps }) => {
        const own = { ...policy, caps };
        const text = ({ decisions, reservations, reasons }: Plan) =>
          canonicalEncode([decisions, reservations, [...reasons]]);
        const planned = plan(aView(parts), own, NOW);
        const reversed = { ...parts, nodes: (parts.nodes ?? []).toReversed() };
        expect(text(plan(aView(reversed), own, NOW))).toBe(text(planned));
        expect(decide(aView(parts), own, NOW)).toEqual(planned.decisions);
      }),
    );
  });

  test("gives reasons for all that waits, and advice that starts it where that is its only reason", () => {
    const judged = forEachPlan(policy, ({ parts, caps }, placements, { reasons }) => {
      const placed = new Set(placements.map(({ work }) => work.id));
      let advised = 0;
      for (const work of parts.pending ?? []) {
        if (placed.has(work.id)) continue;
        const why = reasons.get(work.id) ?? [];
        expect(why.length).toBeGreaterThan(0);
        const changed = why.length === 1 ? obeying(work, why[0]?.change) : undefined;
        if (!changed) continue;
        const queue = (parts.pending ?? []).map((one) => (one === work ? changed : one));
        const again = plan(aView({ ...parts, pending: queue }), { ...policy, caps }, NOW).decisions;
        expect(again.map(({ allocation }) => allocation)).toContain(work.id);
        advised++;
      }
      return advised;
    });
    expect(judged).toBeGreaterThan(0);
  });
});

/** What it draws: a share its part of the processors, the greater where memory or nothing is asked for. */
function wattsOf(drawn: Drawn, claim: Claim): number {
  const { capacity } = capacityOf(drawn, claim);
  return claim.isExclusive ? WATTS : WATTS * (claim.cpus / capacity.cpus);
}

/** Returns the work as the advice has it, where the advice is to ask for less and be started at once. */
function obeying(work: PendingView, change: string | undefined): PendingView | undefined {
  const fewer = change?.match(/^ask for at most (\d+) nodes? to start at once$/);
  if (fewer) {
    const count = Number(fewer[1]);
    return { ...work, request: { ...work.request, nodesMin: count, nodesMax: count } };
  }
  const shorter = change?.match(/^ask for a walltime of at most (\d+) min$/);
  return shorter ? { ...work, walltimeMs: millis(Number(shorter[1]) * MINUTE) } : undefined;
}
