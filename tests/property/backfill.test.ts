/**
 * Shows that backfill keeps its promise: from pass to pass, with queues drawn at random,
 * the promised start of the first in line never moves later, and wide work starts by it.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { millis } from "../../src/base/brand.ts";
import { nodeId } from "../../src/core/domain/ids.ts";
import type { ClusterView, Decision, PendingView, RunningView } from "../../src/core/domain/view.ts";
import type { Reservation } from "../../src/core/scheduler/pass.ts";
import { plan } from "../../src/core/scheduler/plan.ts";
import type { Policy } from "../../src/core/scheduler/policy.ts";
import { DEFAULT_POLICY, EASY_POLICY } from "../../src/core/scheduler/policy.ts";
import { aCapacity, aPending, aRequest, aRunning, aVCluster, aView, GIBIBYTE } from "../fixtures/builders.ts";
import { holds } from "../fixtures/property-runs.ts";

const MINUTE = 60_000;
const NODES = 6;
const nodesWith = (featuresOf: (i: number) => readonly string[]) =>
  Array.from({ length: NODES }, (_, i) => ({
    id: nodeId(`n${i}`),
    capacity: aCapacity({ cpus: 4, memoryBytes: 4 * GIBIBYTE, features: featuresOf(i) }),
  }));
const NODES_OF_TWO_KINDS = nodesWith((i) => (i % 2 === 0 ? ["ib"] : []));
const NODES_ALIKE = nodesWith(() => []);

const job = fc.record({
  width: fc.integer({ min: 1, max: NODES }),
  cpus: fc.constantFrom(0, 1, 3),
  isIb: fc.constantFrom(false, false, true),
  minutes: fc.integer({ min: 1, max: 30 }),
  /** Of its walltime it really runs so many tenths. */
  tenths: fc.integer({ min: 1, max: 10 }),
  arrival: fc.integer({ min: 0, max: 40 }),
});

type Job = typeof job extends fc.Arbitrary<infer T> ? T : never;

interface Run {
  readonly view: RunningView;
  readonly end: number;
}

function pendingOf(one: Job, i: number): PendingView {
  const width = one.isIb ? Math.min(one.width, NODES / 2) : one.width;
  const request = aRequest({
    nodesMin: width,
    nodesMax: width,
    perNode: { cpus: one.cpus, memoryBytes: 0, gpuMilli: 0 },
    features: one.isIb ? ["ib"] : [],
  });
  const walltimeMs = millis(one.minutes * MINUTE);
  return aPending(i + 1, `j${i}`, { request, walltimeMs });
}

/** Runs all jobs minute by minute and calls `see` with each pass. */
function simulate(jobs: readonly Job[], setting: Setting, see: (pass: Pass) => void): void {
  const { sharesNodes, policy, isExact, isUniform } = setting;
  const nodes = isUniform ? NODES_ALIKE : NODES_OF_TWO_KINDS;
  const ordered = jobs.toSorted((a, b) => a.arrival - b.arrival);
  const waiting = new Map(ordered.map((one, i) => [`j${i}`, { one, pending: pendingOf(one, i) }]));
  let running: Run[] = [];
  for (let minute = 0; waiting.size > 0; minute++) {
    if (minute > 5_000) throw new Error("the queue does not drain");
    const now = minute * MINUTE;
    running = running.filter(({ end }) => end > now);
    const pending = [...waiting.values()].filter(({ one }) => one.arrival <= minute).map(({ pending }) => pending);
    const vclusters = [aVCluster(aPending(1, "x").vcluster, { sharesNodes })];
    const view = aView({ nodes, pending, running: running.map(({ view }) => view), vclusters });
    const { decisions, reservations } = plan(view, policy, millis(now));
    for (const { allocation, claims } of decisions) {
      const found = waiting.get(allocation);
      if (!found) throw new Error(`${allocation} does not wait`);
      waiting.delete(allocation);
      const { walltimeMs } = found.pending;
      const end = now + Math.max(MINUTE, (walltimeMs * (isExact ? 10 : found.one.tenths)) / 10);
      running.push({ view: aRunning(allocation, claims, { walltimeMs, startedAt: millis(now) }), end });
    }
    see({ view, now, decisions, placed: decisions.map(({ allocation }) => String(allocation)), reservations });
  }
}

/** Returns the view once the decisions have been carried out. */
function afterwards(view: ClusterView, decisions: readonly Decision[], now: number): ClusterView {
  const queue = [...view.pending()];
  const claimsOf = new Map(decisions.map(({ allocation, claims }) => [allocation, claims]));
  const started = queue.flatMap(({ id, walltimeMs }) => {
    const claims = claimsOf.get(id);
    return claims ? [aRunning(id, claims, { walltimeMs, startedAt: millis(now) })] : [];
  });
  const vcluster = view.vcluster(aPending(1, "x").vcluster);
  return aView({
    nodes: view.nodes.map(({ id, capacity }) => ({ id, capacity })),
    pending: queue.filter(({ id }) => !claimsOf.has(id)),
    running: [...view.running(), ...started],
    vclusters: vcluster ? [vcluster] : [],
  });
}

interface Setting {
  readonly sharesNodes: boolean;
  readonly policy: Policy;
  /** Whether all runs last as long as their walltime. */
  readonly isExact: boolean;
  /** Whether all nodes are alike. */
  readonly isUniform?: boolean;
}

interface Pass {
  readonly view: ClusterView;
  readonly now: number;
  readonly decisions: readonly Decision[];
  readonly placed: readonly string[];
  readonly reservations: readonly Reservation[];
}

describe("backfill", () => {
  test("never moves a promised start later, and what was promised a start has started by it", () => {
    holds(
      fc.property(fc.array(job, { maxLength: 25 }), fc.boolean(), (jobs, sharesNodes) => {
        const promised = new Map<string, number>();
        simulate(jobs, { sharesNodes, policy: EASY_POLICY, isExact: false }, ({ now, placed, reservations }) => {
          const [reservation] = reservations;
          for (const id of placed) promised.delete(id);
          for (const start of promised.values()) expect(start).toBeGreaterThan(now);
          if (!reservation) return;
          const before = promised.get(reservation.allocation) ?? Number.POSITIVE_INFINITY;
          expect(reservation.startsBy).toBeLessThanOrEqual(before);
          promised.set(reservation.allocation, reservation.startsBy);
        });
      }),
    );
  });
});

/** Returns the allocation with what the advice says to ask for so that it starts at once; undefined for other advice. */
function obeying(pending: PendingView, advice: string | undefined): PendingView | undefined {
  const nodes = Number(/^ask for at most (\d+) nodes? to start at once$/.exec(advice ?? "")?.[1]);
  if (nodes > 0) return { ...pending, request: { ...pending.request, nodesMin: nodes, nodesMax: nodes } };
  const minutes = Number(/^ask for a walltime of at most (\d+) min$/.exec(advice ?? "")?.[1]);
  return minutes > 0 ? { ...pending, walltimeMs: millis(minutes * MINUTE) } : undefined;
}

const POLICIES: readonly (readonly [string, Policy])[] = [
  ["EASY", EASY_POLICY],
  ["conservative", { ...EASY_POLICY, backfill: "conservative" }],
  ["the default", DEFAULT_POLICY],
];

describe.each(POLICIES)("backfill by %s", (_name, policy) => {
  test("takes nothing from the first that waits: the next pass promises it the same start or an earlier one", () => {
    holds(
      fc.property(fc.array(job, { maxLength: 25 }), fc.boolean(), (jobs, sharesNodes) => {
        simulate(jobs, { sharesNodes, policy, isExact: false }, ({ view, now, decisions, reservations }) => {
          const [first] = reservations;
          if (!first) return;
          const next = plan(afterwards(view, decisions, now), policy, millis(now)).reservations;
          const again = next.find(({ allocation }) => allocation === first.allocation);
          expect(again?.startsBy ?? Number.NEGATIVE_INFINITY).toBeLessThanOrEqual(first.startsBy);
        });
      }),
    );
  });

  test("keeps all promises on nodes that are alike while work lasts as long as it said", () => {
    holds(
      fc.property(fc.array(job, { maxLength: 25 }), (jobs) => {
        const plain = jobs.map((one) => ({ ...one, isIb: false, cpus: 0 as const }));
        const before = new Map<string, number>();
        simulate(plain, { sharesNodes: false, policy, isExact: true, isUniform: true }, ({ placed, reservations }) => {
          for (const id of placed) before.delete(id);
          for (const { allocation, startsBy } of reservations) {
            expect(startsBy).toBeLessThanOrEqual(before.get(allocation) ?? Number.POSITIVE_INFINITY);
            before.set(allocation, startsBy);
          }
        });
      }),
    );
  });

  test("promises each start without regard to what is of lower rank", () => {
    holds(
      fc.property(fc.array(job, { maxLength: 25 }), fc.boolean(), (jobs, sharesNodes) => {
        simulate(jobs, { sharesNodes, policy, isExact: false }, ({ view, now, reservations }) => {
          const queue = [...view.pending()];
          for (const reservation of reservations) {
            const until = queue.findIndex(({ id }) => id === reservation.allocation);
            const alone = { ...view, pending: () => queue.slice(0, until + 1), pendingCount: until + 1 };
            expect(plan(alone, policy, millis(now)).reservations).toContainEqual(reservation);
          }
        });
      }),
    );
  });

  test("lets every allocation start in the end, however wide it is and whatever comes after it", () => {
    holds(
      fc.property(fc.array(job, { maxLength: 12 }), fc.integer({ min: 1, max: 3 }), (jobs, minutes) => {
        const wide: Job = { width: NODES, cpus: 0, isIb: false, minutes: 5, tenths: 10, arrival: 0 };
        const stream = Array.from({ length: 60 }, (_, i) => ({ ...wide, width: 1, minutes, arrival: i }));
        const started = new Map<string, number>();
        simulate([...jobs, wide, ...stream], { sharesNodes: false, policy, isExact: true }, ({ now, placed }) => {
          for (const id of placed) started.set(id, now);
        });
        const ordered = [...jobs, wide, ...stream].toSorted((a, b) => a.arrival - b.arrival);
        const at = started.get(`j${ordered.indexOf(wide)}`) ?? Number.POSITIVE_INFINITY;
        const ahead = jobs.reduce((sum, one) => sum + one.minutes, 0);
        expect(at).toBeLessThanOrEqual((ahead + 40 + 3) * MINUTE);
      }),
    );
  });
});

describe.each([["no backfill", { ...EASY_POLICY, backfill: "none" as const }] as const, ...POLICIES])(
  "advice by %s",
  (_name, policy) => {
    test("is true: what asks for as much as it says starts at once", () => {
      let tried = 0;
      holds(
        fc.property(fc.array(job, { maxLength: 25 }), fc.boolean(), (jobs, sharesNodes) => {
          simulate(jobs, { sharesNodes, policy, isExact: false }, ({ view, now }) => {
            const { reasons } = plan(view, policy, millis(now));
            const queue = [...view.pending()];
            for (const pending of queue) {
              const why = reasons.get(pending.id) ?? [];
              const asked = why.length === 1 ? obeying(pending, why[0]?.change) : undefined;
              if (!asked) continue;
              tried++;
              const changed = queue.map((one) => (one === pending ? asked : one));
              const placed = plan({ ...view, pending: () => changed }, policy, millis(now)).decisions;
              expect(placed.map(({ allocation }) => allocation)).toContain(pending.id);
            }
          });
        }),
      );
      expect(tried).toBeGreaterThan(100);
    });
  },
);
