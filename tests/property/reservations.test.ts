/**
 * Shows with clusters drawn at random that reservations of administrators hold: nothing is
 * placed on, or promised, nodes that are reserved for others before it must have ended, and
 * advice to ask for less time so that it starts before one is true.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { logIndex, millis } from "../../src/base/brand.ts";
import { nodeId, tenantId, userId } from "../../src/core/domain/ids.ts";
import type { NodeReservation } from "../../src/core/domain/nodes/node-reservation.ts";
import { admits, coversNode, isDuring } from "../../src/core/domain/nodes/node-reservation.ts";
import type { PendingView } from "../../src/core/domain/view.ts";
import { plan } from "../../src/core/scheduler/plan.ts";
import { DEFAULT_POLICY, EASY_POLICY } from "../../src/core/scheduler/policy.ts";
import { aCapacity, aPending, aRequest, aView } from "../fixtures/builders.ts";
import { holds } from "../fixtures/property-runs.ts";

const MINUTE = 60_000;
const NODES = Array.from({ length: 5 }, (_, i) => ({
  id: nodeId(`n${i}`),
  capacity: aCapacity({ features: i % 2 === 0 ? ["ib"] : [] }),
}));
const [RED, BLUE] = [tenantId("red"), tenantId("blue")];

const reservation = fc.record({
  from: fc.integer({ min: 0, max: 60 }),
  minutes: fc.integer({ min: 1, max: 60 }),
  nodes: fc.subarray(NODES.map(({ id }) => id)),
  features: fc.constantFrom<readonly string[]>([], [], ["ib"]),
  isForRed: fc.boolean(),
});
const job = fc.record({
  width: fc.integer({ min: 1, max: 5 }),
  minutes: fc.integer({ min: 0, max: 90 }),
  isRed: fc.boolean(),
});

function reservationOf(
  drawn: typeof reservation extends fc.Arbitrary<infer T> ? T : never,
  n: number,
): NodeReservation {
  const { from, minutes, nodes, features, isForRed } = drawn;
  const span = { from: millis(from * MINUTE), until: millis((from + minutes) * MINUTE) };
  const who = { users: [], reason: "", createdBy: userId("root"), ...(isForRed && { tenant: RED }) };
  return { name: `r${n}`, version: logIndex(1), ...span, nodes, features, ...who };
}

function pendingOf(drawn: typeof job extends fc.Arbitrary<infer T> ? T : never, n: number): PendingView {
  const request = aRequest({ nodesMin: drawn.width, nodesMax: drawn.width });
  const tenant = drawn.isRed ? RED : BLUE;
  return aPending(n + 1, `j${n}`, { request, tenant, walltimeMs: millis(drawn.minutes * MINUTE) });
}

test("nothing is placed or promised where a reservation keeps it out, and the advice to be shorter is true", () => {
  let obeyed = 0;
  const arbitrary = fc.property(
    fc.array(reservation, { minLength: 1, maxLength: 3 }),
    fc.array(job, { minLength: 1, maxLength: 8 }),
    fc.constantFrom(EASY_POLICY, DEFAULT_POLICY, { ...EASY_POLICY, backfill: "conservative" as const }),
    (drawn, jobs, policy) => {
      const reservations = drawn.map(reservationOf);
      const pending = jobs.map(pendingOf);
      const view = aView({ nodes: NODES, pending, reservations });
      const { decisions, reservations: promises, reasons } = plan(view, policy, millis(0));
      const openNodes = (one: PendingView, start: number): number => {
        const end = one.walltimeMs > 0 ? start + one.walltimeMs : Number.POSITIVE_INFINITY;
        const closed = reservations.filter((other) => !admits(other, one) && isDuring(other, start, end));
        return NODES.filter((node) => !closed.some((other) => coversNode(other, node))).length;
      };
      for (const { allocation, claims } of decisions) {
        const one = pending.find(({ id }) => id === allocation);
        const end = one && one.walltimeMs > 0 ? one.walltimeMs : Number.POSITIVE_INFINITY;
        const closed = reservations.filter((other) => one && !admits(other, one) && isDuring(other, 0, end));
        const taken = NODES.filter(({ id }) => claims.some((claim) => claim.nodeId === id));
        expect(taken.filter((node) => closed.some((other) => coversNode(other, node)))).toEqual([]);
      }
      for (const { allocation, startsBy } of promises) {
        const one = pending.find(({ id }) => id === allocation);
        if (one) expect(openNodes(one, startsBy)).toBeGreaterThanOrEqual(one.request.nodesMin);
      }
      for (const one of pending) {
        const [why, ...others] = reasons.get(one.id) ?? [];
        const minutes = Number(/^ask for a walltime of at most (\d+) min$/.exec(why?.change ?? "")?.[1]);
        if (why?.code !== "NODES_RESERVED" || others.length > 0 || !(minutes > 0)) continue;
        obeyed++;
        const changed = pending.map((other) =>
          other === one ? { ...one, walltimeMs: millis(minutes * MINUTE) } : other,
        );
        const placed = plan(aView({ nodes: NODES, pending: changed, reservations }), policy, millis(0)).decisions;
        expect(placed.map(({ allocation }) => allocation)).toContain(one.id);
      }
    },
  );
  holds(arbitrary);
  expect(obeyed).toBeGreaterThan(10);
});
