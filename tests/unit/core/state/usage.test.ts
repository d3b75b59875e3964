/** Shows that recent use counts more than old use, by tenant and user, and that budgets count the hours of their window. */
import { describe, expect, test } from "bun:test";
import { millis } from "../../../../src/base/brand.ts";
import { tenantId, userId } from "../../../../src/core/domain/ids.ts";
import type { UsedWork } from "../../../../src/core/state/usage.ts";
import { Usage } from "../../../../src/core/state/usage.ts";

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
