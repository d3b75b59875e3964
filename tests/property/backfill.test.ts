/**
 * Shows that backfill keeps its promise: from pass to pass, with queues drawn at random,
 * the promised start of the first in line never moves later, and wide work starts by it.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { millis } from "../../src/base/brand.ts";
import { nodeId } from "../../src/core/domain/ids.ts";
import type { PendingView, RunningView } from "../../src/core/domain/view.ts";
import type { Reservation } from "../../src/core/scheduler/plan.ts";
import { plan } from "../../src/core/scheduler/plan.ts";
import { aCapacity, aPending, aRequest, aRunning, aVCluster, aView, GIBIBYTE } from "../fixtures/builders.ts";
import { holds } from "../fixtures/property-runs.ts";

const POLICY = { depth: 1_000 };
const MINUTE = 60_000;
const NODES = 6;
const nodes = Array.from({ length: NODES }, (_, i) => ({
  id: nodeId(`n${i}`),
  capacity: aCapacity({ cpus: 4, memoryBytes: 4 * GIBIBYTE, features: i % 2 === 0 ? ["ib"] : [] }),
}));

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
function simulate(jobs: readonly Job[], sharesNodes: boolean, see: (pass: Pass) => void): void {
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
    const { decisions, reservation } = plan(view, POLICY, millis(now));
    for (const { allocation, claims } of decisions) {
      const found = waiting.get(allocation);
      if (!found) throw new Error(`${allocation} does not wait`);
      waiting.delete(allocation);
      const { walltimeMs } = found.pending;
      const end = now + Math.max(MINUTE, (walltimeMs * found.one.tenths) / 10);
      running.push({ view: aRunning(allocation, claims, { walltimeMs, startedAt: millis(now) }), end });
    }
    see({ now, placed: decisions.map(({ allocation }) => String(allocation)), reservation });
  }
}

interface Pass {
  readonly now: number;
  readonly placed: readonly string[];
  readonly reservation: Reservation | undefined;
}

describe("backfill", () => {
  test("never moves a promised start later, and what was promised a start has started by it", () => {
    holds(
      fc.property(fc.array(job, { maxLength: 25 }), fc.boolean(), (jobs, sharesNodes) => {
        const promised = new Map<string, number>();
        simulate(jobs, sharesNodes, ({ now, placed, reservation }) => {
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
