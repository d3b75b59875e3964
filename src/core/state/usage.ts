/**
 * What tenants and users have used, as a policy counts it: shares of recent use, in which
 * use counts half as much after each half-life, and the hours that budgets are set against.
 */
import type { Millis } from "../../base/brand.ts";
import { exp2 } from "../../base/math.ts";
import type { TenantId, UserId } from "../domain/ids.ts";
import type { TenantQuota } from "../domain/tenant.ts";
import type { UsageView } from "../domain/view.ts";

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

/** After this time use counts half. */
export const USAGE_HALF_LIFE_MS = 7 * 24 * 3_600_000;
/** Budgets are for so many days. */
export const BUDGET_WINDOW_DAYS = 90;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** An amount that decays. */
interface Decaying {
  value: number;
  at: number;
}

interface Hours {
  node: number;
  gpu: number;
}

/** The use of all tenants; work is recorded when it ends. */
export class Usage implements UsageView {
  readonly #all: Decaying = { value: 0, at: 0 };
  readonly #byTenant = new Map<TenantId, Decaying>();
  readonly #byUser = new Map<TenantId, Map<UserId, Decaying>>();
  /** By tenant and day since the epoch. */
  readonly #hours = new Map<TenantId, Map<number, Hours>>();

  /** Adds work that has ended. */
  record({ tenant, user, nodes, gpuMilli, startedAt, endedAt }: UsedWork): void {
    const spanHours = Math.max(0, endedAt - startedAt) / HOUR_MS;
    const nodeHours = nodes * spanHours;
    add(this.#all, nodeHours, endedAt);
    add(entryOf(this.#byTenant, tenant, nothing), nodeHours, endedAt);
    add(entryOf(entryOf(this.#byUser, tenant, newMap<UserId, Decaying>), user, nothing), nodeHours, endedAt);
    const days = entryOf(this.#hours, tenant, newMap<number, Hours>);
    const hours = entryOf(days, Math.floor(endedAt / DAY_MS), () => ({ node: 0, gpu: 0 }));
    hours.node += nodeHours;
    hours.gpu += (gpuMilli / 1_000) * spanHours;
  }

  tenantShare(tenant: TenantId, now: Millis): number {
    return share(this.#byTenant.get(tenant), this.#all, now);
  }

  userShare(tenant: TenantId, user: UserId, now: Millis): number | undefined {
    const whole = this.#byTenant.get(tenant);
    return whole && share(this.#byUser.get(tenant)?.get(user), whole, now);
  }

  budgetUsed(tenant: TenantId, { nodeHoursBudget, gpuHoursBudget }: TenantQuota, now: Millis): number {
    if (nodeHoursBudget === undefined && gpuHoursBudget === undefined) return 0;
    const since = Math.floor(now / DAY_MS) - BUDGET_WINDOW_DAYS;
    const used: Hours = { node: 0, gpu: 0 };
    for (const [day, hours] of this.#hours.get(tenant) ?? []) {
      if (day <= since) continue;
      used.node += hours.node;
      used.gpu += hours.gpu;
    }
    return Math.max(fraction(used.node, nodeHoursBudget), fraction(used.gpu, gpuHoursBudget));
  }
}

const nothing = (): Decaying => ({ value: 0, at: 0 });
const newMap = <K, V>(): Map<K, V> => new Map<K, V>();

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

function add(amount: Decaying, more: number, at: number): void {
  amount.value = valueAt(amount, at) + more;
  amount.at = at;
}

const valueAt = ({ value, at }: Decaying, now: number): number =>
  value === 0 ? 0 : value * exp2(-(now - at) / USAGE_HALF_LIFE_MS);

function share(part: Decaying | undefined, whole: Decaying, now: number): number {
  const all = valueAt(whole, now);
  return part && all > 0 ? Math.min(1, valueAt(part, now) / all) : 0;
}

/** A budget of nothing is used up by anything. */
function fraction(used: number, budget: number | undefined): number {
  if (budget === undefined || used === 0) return 0;
  return budget > 0 ? used / budget : Number.POSITIVE_INFINITY;
}
