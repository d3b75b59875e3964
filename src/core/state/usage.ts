/**
 * What tenants and users have used, as a policy counts it: shares of recent use, in which
 * use counts half as much after each half-life, and the hours that budgets are set against.
 */
import type { Millis } from "../../base/brand.ts";
import { exp2 } from "../../base/math.ts";
import type { TenantId, UserId } from "../domain/ids.ts";
import type { TenantQuota } from "../domain/tenant.ts";
import type { UsageView } from "../domain/view.ts";
import { Table } from "./table.ts";

/** Work that has ended, with what it held. */
export interface UsedWork {
  readonly tenant: TenantId;
  readonly user: UserId;
  readonly nodes: number;
  /** In thousandths of a device, over all nodes. */
  readonly gpuMilli: number;
  readonly startedAt: Millis;
  readonly endedAt: Millis;
}

/** After this time use counts half, where nothing else is configured. */
export const USAGE_HALF_LIFE_MS = 7 * 24 * 3_600_000;
/** Budgets are for so many days. */
export const BUDGET_WINDOW_DAYS = 90;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** What a budget counts. */
interface Hours {
  readonly node: number;
  readonly gpu: number;
}

/** A row of the state: node-hours that decay, of a tenant, of a user in it, or of all. */
export interface UsageRow {
  /** As of `at`. */
  readonly value: number;
  readonly at: number;
  /** Of a tenant: by day since the epoch. */
  readonly days?: Readonly<Record<string, Hours>>;
}

/** Ids of rows: names of tenants hold no slash. */
const ALL = "/";
const tenantRow = (tenant: TenantId): string => tenant;
const userRow = (tenant: TenantId, user: UserId): string => `${tenant}/${user}`;

/** The use of all tenants; work is recorded when it ends. Reads and writes rows of the state. */
export class Usage implements UsageView {
  readonly #rows: Table<string, UsageRow>;
  readonly #halfLifeMs: number;

  constructor(rows: Table<string, UsageRow> = new Table("usage"), halfLifeMs: number = USAGE_HALF_LIFE_MS) {
    this.#rows = rows;
    this.#halfLifeMs = halfLifeMs;
  }

  /** Adds work that has ended. */
  record({ tenant, user, nodes, gpuMilli, startedAt, endedAt }: UsedWork): void {
    const spanHours = Math.max(0, endedAt - startedAt) / HOUR_MS;
    const hours: Hours = { node: nodes * spanHours, gpu: (gpuMilli / 1_000) * spanHours };
    this.#add(ALL, { value: hours.node, at: endedAt });
    this.#add(userRow(tenant, user), { value: hours.node, at: endedAt });
    const days = withHours(this.#rows.get(tenantRow(tenant))?.days ?? {}, Math.floor(endedAt / DAY_MS), hours);
    this.#add(tenantRow(tenant), { value: hours.node, at: endedAt, days });
  }

  /** Has all rows count from `now` on by another half-life. */
  convert(halfLifeMs: number, now: Millis): Usage {
    for (const [id, row] of [...this.#rows.entries()]) {
      this.#rows.put(id, { ...row, value: this.#valueAt(row, now), at: now });
    }
    return new Usage(this.#rows, halfLifeMs);
  }

  #add(id: string, more: UsageRow): void {
    const before = this.#rows.get(id);
    this.#rows.put(id, { ...more, value: more.value + (before ? this.#valueAt(before, more.at) : 0) });
  }

  #valueAt({ value, at }: UsageRow, now: number): number {
    return value === 0 ? 0 : value * exp2(-(now - at) / this.#halfLifeMs);
  }

  tenantShare(tenant: TenantId, now: Millis): number {
    return this.#share(this.#rows.get(tenantRow(tenant)), this.#rows.get(ALL), now);
  }

  userShare(tenant: TenantId, user: UserId, now: Millis): number | undefined {
    const whole = this.#rows.get(tenantRow(tenant));
    return whole && this.#share(this.#rows.get(userRow(tenant, user)), whole, now);
  }

  #share(part: UsageRow | undefined, whole: UsageRow | undefined, now: Millis): number {
    const all = whole ? this.#valueAt(whole, now) : 0;
    return part && all > 0 ? Math.min(1, this.#valueAt(part, now) / all) : 0;
  }

  budgetUsed(tenant: TenantId, { nodeHoursBudget, gpuHoursBudget }: TenantQuota, now: Millis): number {
    if (nodeHoursBudget === undefined && gpuHoursBudget === undefined) return 0;
    const since = Math.floor(now / DAY_MS) - BUDGET_WINDOW_DAYS;
    const used = { node: 0, gpu: 0 };
    for (const [day, hours] of Object.entries(this.#rows.get(tenantRow(tenant))?.days ?? {})) {
      if (Number(day) <= since) continue;
      used.node += hours.node;
      used.gpu += hours.gpu;
    }
    return Math.max(fraction(used.node, nodeHoursBudget), fraction(used.gpu, gpuHoursBudget));
  }
}

/** Adds hours to a day; with a new day, those are forgotten that no budget counts any more. */
function withHours(days: Readonly<Record<string, Hours>>, day: number, { node, gpu }: Hours): Record<string, Hours> {
  const before = days[day];
  if (before) return { ...days, [day]: { node: before.node + node, gpu: before.gpu + gpu } };
  const kept = Object.entries(days).filter(([known]) => Number(known) > day - BUDGET_WINDOW_DAYS);
  return { ...Object.fromEntries(kept), [day]: { node, gpu } };
}

/** A budget of nothing is used up by anything. */
function fraction(used: number, budget: number | undefined): number {
  if (budget === undefined || used === 0) return 0;
  return budget > 0 ? used / budget : Number.POSITIVE_INFINITY;
}
