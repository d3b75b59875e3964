/** Shows that recent use counts more than old use, by tenant and user, and that budgets count the hours of their window. */
import { describe, expect, test } from "bun:test";
import { millis } from "../../../../src/base/brand.ts";
import type { WorkloadReport } from "../../../../src/core/domain/assignment.ts";
import { allocationId, nodeId, tenantId, userId } from "../../../../src/core/domain/ids.ts";
import { DEFAULT_TENANT, DEFAULT_VCLUSTER } from "../../../../src/core/domain/tenant.ts";
import { decodeSnapshot, encodeSnapshot } from "../../../../src/core/state/snapshot.ts";
import type { State } from "../../../../src/core/state/state.ts";
import { metaOf, stateHash } from "../../../../src/core/state/state.ts";
import type { UsedWork } from "../../../../src/core/state/usage.ts";
import { Usage } from "../../../../src/core/state/usage.ts";
import { viewOf } from "../../../../src/core/state/view.ts";
import { aRegistration, aRequest, aSpec } from "../../../fixtures/builders.ts";
import { StateWorld } from "../../../fixtures/state-world.ts";

const HOUR = 3_600_000;
const WEEK = 168 * HOUR;
const [RED, BLUE] = ["red", "blue"].map(tenantId) as [UsedWork["tenant"], UsedWork["tenant"]];
const [ADA, BOB] = ["ada", "bob"].map(userId) as [UsedWork["user"], UsedWork["user"]];

/** Ten node-hours that ended at a time. */
const tenHours = (endedAt: number, fields: Partial<UsedWork> = {}): UsedWork => ({
  tenant: RED,
  user: ADA,
  nodes: 10,
  gpuMilli: 0,
  startedAt: millis(endedAt - HOUR),
  endedAt: millis(endedAt),
  ...fields,
});

describe("shares of use", () => {
  test("are equal for equal use at one time", () => {
    const usage = new Usage();
    usage.record(tenHours(WEEK));
    usage.record(tenHours(WEEK, { tenant: BLUE }));
    expect([usage.tenantShare(RED, millis(WEEK)), usage.tenantShare(BLUE, millis(2 * WEEK))]).toEqual([0.5, 0.5]);
  });

  test("halve with each half-life", () => {
    const usage = new Usage();
    usage.record(tenHours(WEEK));
    usage.record(tenHours(2 * WEEK, { tenant: BLUE }));
    expect(usage.tenantShare(RED, millis(2 * WEEK))).toBeCloseTo(1 / 3, 12);
    expect(usage.tenantShare(BLUE, millis(5 * WEEK))).toBeCloseTo(2 / 3, 12);
  });

  test("of users are within their tenant", () => {
    const usage = new Usage();
    usage.record(tenHours(WEEK, { nodes: 30 }));
    usage.record(tenHours(WEEK, { user: BOB }));
    usage.record(tenHours(WEEK, { tenant: BLUE, user: BOB, nodes: 99 }));
    expect([usage.userShare(RED, ADA, millis(WEEK)), usage.userShare(RED, BOB, millis(WEEK))]).toEqual([0.75, 0.25]);
  });

  test("are nothing, or not known, where nothing was used", () => {
    const usage = new Usage();
    expect([usage.tenantShare(RED, millis(0)), usage.userShare(RED, ADA, millis(0))]).toEqual([0, undefined]);
  });
});

describe("budgets", () => {
  const quota = { nodesMax: 9, fairShareTarget: 0 };

  test("count the hours of ninety days, and the one that is used most", () => {
    const usage = new Usage();
    usage.record(tenHours(HOUR));
    usage.record(tenHours(100 * 24 * HOUR, { gpuMilli: 40_000 }));
    const now = millis(101 * 24 * HOUR);
    expect(usage.budgetUsed(RED, { ...quota, nodeHoursBudget: 20 }, now)).toBe(0.5);
    expect(usage.budgetUsed(RED, { ...quota, nodeHoursBudget: 20, gpuHoursBudget: 50 }, now)).toBe(0.8);
  });

  test("that are not set are never used up, and one of nothing is used up by anything", () => {
    const usage = new Usage();
    const empty = { ...quota, nodeHoursBudget: 0 };
    expect([usage.budgetUsed(RED, quota, millis(HOUR)), usage.budgetUsed(RED, empty, millis(HOUR))]).toEqual([0, 0]);
    usage.record(tenHours(HOUR));
    expect(usage.budgetUsed(RED, empty, millis(HOUR))).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("the record of use", () => {
  const DAY = 24 * HOUR;

  /** Runs ten hours of one node and ends them. */
  function work(world: StateWorld, name: string): void {
    const id = allocationId(name);
    const resources = aRequest({ nodesMin: 1 });
    const spec = aSpec({ tenant: DEFAULT_TENANT, vcluster: DEFAULT_VCLUSTER, resources });
    world.propose({ kind: "submit-allocation", allocation: { id, spec, dependencies: [] } });
    world.place();
    const report = (fields: object) => {
      const reports = [{ allocation: id, attempt: 1, ...fields } as WorkloadReport];
      world.propose({ kind: "record-reports", node: nodeId("n0"), reports });
    };
    report({ phase: "running" });
    world.now = millis(world.now + 10 * HOUR);
    report({ phase: "ended", cause: "exited", exitCode: 0 });
  }

  function worldWithNode(): StateWorld {
    const world = new StateWorld();
    world.propose({ kind: "register-node", registration: aRegistration("n0"), issues: [] });
    const health = { health: "ready", reason: "", issues: [], isolatedUntil: millis(0) } as const;
    world.propose({ kind: "set-node-health", node: nodeId("n0"), ...health });
    return world;
  }

  const shareOf = (state: State, now: number) => viewOf(state).usage?.userShare(DEFAULT_TENANT, ADA, millis(now));

  test("is rows of the state: a restart reads it back though the work has left memory", () => {
    const world = worldWithNode();
    world.propose({ kind: "set-usage-half-life", halfLifeMs: DAY });
    work(world, "a");
    world.propose({ kind: "archive", ids: [allocationId("a")] });
    const restored = decodeSnapshot(encodeSnapshot(world.state));
    if (!restored.ok) throw new Error(restored.error);
    expect(world.state.tables.allocations.size).toBe(0);
    expect(stateHash(restored.value)).toBe(stateHash(world.state));
    expect(shareOf(restored.value, world.now)).toBe(1);
    expect([...restored.value.tables.usage.values()].map(({ value }) => value)).toEqual([10, 10, 10]);
  });

  test("begins with the work that is in memory when the first half-life is set, and not before", () => {
    const world = worldWithNode();
    work(world, "a");
    expect(viewOf(world.state).usage).toBeUndefined();
    world.propose({ kind: "set-usage-half-life", halfLifeMs: DAY });
    expect(shareOf(world.state, world.now)).toBe(1);
  });

  test("counts each run of work that starts again, when that run ends", () => {
    const world = worldWithNode();
    world.propose({ kind: "set-usage-half-life", halfLifeMs: DAY });
    const id = allocationId("a");
    const spec = aSpec({ requeuePolicy: "always" });
    world.propose({ kind: "submit-allocation", allocation: { id, spec, dependencies: [] } });
    world.place();
    const report = (fields: object) => {
      const reports = [{ allocation: id, attempt: 1, ...fields } as WorkloadReport];
      world.propose({ kind: "record-reports", node: nodeId("n0"), reports });
    };
    report({ phase: "running" });
    world.now = millis(world.now + 10 * HOUR);
    report({ phase: "ended", cause: "exited", exitCode: 1 });
    expect(world.state.tables.allocations.get(id)?.state).toBe("pending");
    expect([...world.state.tables.usage.values()].map(({ value }) => value)).toEqual([10, 10, 10]);
    world.propose({ kind: "cancel", target: id });
    expect([...world.state.tables.usage.values()].map(({ value }) => value)).toEqual([10, 10, 10]);
  });

  test("goes on from what it was when the half-life changes", () => {
    const world = worldWithNode();
    world.propose({ kind: "set-usage-half-life", halfLifeMs: DAY });
    work(world, "a");
    world.now = millis(world.now + DAY);
    world.propose({ kind: "set-usage-half-life", halfLifeMs: 10 * DAY });
    expect([...world.state.tables.usage.values()].map(({ value }) => value)).toEqual([5, 5, 5]);
    expect(metaOf(world.state).usageHalfLifeMs).toBe(10 * DAY);
  });
});
