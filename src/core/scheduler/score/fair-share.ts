/**
 * f3: how far the tenant, and within it the user, is below its share. u is what the tenant
 * uses of the machine, as a fraction, decayed where usage is recorded, else what it holds.
 * A tenant with a burst allowance b ≥ 1 may count on b times its target T while the machine
 * is empty, and on T itself from 80 % utilisation U:
 *
 *   T' = T · (1 + (b − 1) · (0.8 − U) / 0.8) for U < 0.8, else T
 */
import { clampToUnit } from "./priority.ts";

/** What the factor is computed from. */
export interface FairShareInput {
  /** 0 where none is set. */
  readonly target: number;
  readonly burstAllowance?: number;
  /** Of the machine, used by the tenant. */
  readonly tenantUsage: number;
  /** Of the tenant's own usage, by the user; absent where nothing is recorded. */
  readonly userUsage?: number;
  readonly utilisation: number;
}

/** From this utilisation on there is nothing to burst into. */
const BUSY = 0.8;
/** Of the factor, so much is the tenant's; the rest is the user's. */
const TENANT_PART = 0.5;
/** What counts for a tenant without a target. */
const NEUTRAL = 0.5;

/** Returns max(0, (T' − u) / T'), half of it by the user's share where usage is recorded. */
export function fairShareFactor({ userUsage, ...input }: FairShareInput): number {
  const tenant = tenantFactor(input);
  return userUsage === undefined ? tenant : TENANT_PART * tenant + (1 - TENANT_PART) * clampToUnit(1 - userUsage);
}

function tenantFactor({ target, burstAllowance = 1, tenantUsage, utilisation }: FairShareInput): number {
  if (target <= 0) return NEUTRAL;
  const room = Math.max(0, (BUSY - utilisation) / BUSY);
  const effective = target * (1 + Math.max(0, burstAllowance - 1) * room);
  return clampToUnit((effective - tenantUsage) / effective);
}
