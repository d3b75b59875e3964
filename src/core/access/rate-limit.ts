/**
 * How many requests one principal may make: a token bucket for each, filled at a steady
 * rate up to a burst. Administrators, agents and servers have none: who mends an overload,
 * and who keeps work alive, must get through.
 */
import type { Fault } from "../domain/errors.ts";
import { fault } from "../domain/errors.ts";
import type { Principal } from "../domain/principal.ts";

/** The limits of each principal. */
export interface RateLimits {
  /** 0: none. */
  readonly requestsPerSecond: number;
  /** Requests that may come at once after a pause. */
  readonly requestBurst: number;
}

interface Bucket {
  readonly tokens: number;
  readonly at: number;
}

/** Principals that are remembered; the one that was silent for longest is forgotten. */
const BUCKETS_MAX = 10_000;

/** The buckets of one server. */
export class RateLimiter {
  readonly #buckets = new Map<string, Bucket>();

  constructor(private readonly limits: RateLimits) {}

  /** Takes a token; returns RATE_LIMITED, with the time until the next one, when there is none. `now` is monotonic, in milliseconds. */
  take(principal: Principal, now: number): Fault | undefined {
    const { requestsPerSecond: rate, requestBurst: burst } = this.limits;
    if (rate === 0 || !isLimited(principal)) return undefined;
    const key = principalKey(principal);
    const { tokens, at } = this.#buckets.get(key) ?? { tokens: burst, at: now };
    const filled = Math.min(burst, tokens + ((now - at) / 1_000) * rate);
    this.#buckets.delete(key);
    const isAllowed = filled >= 1;
    this.#buckets.set(key, { tokens: isAllowed ? filled - 1 : filled, at: now });
    for (const silent of this.#buckets.keys()) {
      if (this.#buckets.size <= BUCKETS_MAX) break;
      this.#buckets.delete(silent);
    }
    if (isAllowed) return undefined;
    const retryAfterMs = Math.max(1, Math.ceil(((1 - filled) / rate) * 1_000));
    return { ...fault("RATE_LIMITED", `${principal.user} makes more than ${rate} requests a second`), retryAfterMs };
  }
}

const isLimited = ({ role }: Principal): boolean => role !== "SystemAdmin" && role !== "agent" && role !== "server";

/** Returns what tells one principal from another. */
export const principalKey = ({ user, tenant = "" }: Pick<Principal, "user"> & { readonly tenant?: string }): string =>
  JSON.stringify([user, tenant]);
