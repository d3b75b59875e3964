/** Shows how many requests a bucket lets through, when the next, and who has none. */
import { expect, test } from "bun:test";
import { RateLimiter } from "../../../../src/core/access/rate-limit.ts";
import { tenantId, userId } from "../../../../src/core/domain/ids.ts";
import type { Principal, Role } from "../../../../src/core/domain/principal.ts";

const who = (name: string, role: Role = "User"): Principal => ({ user: userId(name), role, tenant: tenantId("t") });
const limiter = () => new RateLimiter({ requestsPerSecond: 10, requestBurst: 3 });

test("a burst goes through, then the steady rate, and the refusal says when the next may come", () => {
  const limits = limiter();
  const taken = [0, 0, 0, 0].map((now) => limits.take(who("ann"), now));
  expect(taken.slice(0, 3)).toEqual([undefined, undefined, undefined]);
  expect(taken[3]).toMatchObject({ reason: "RATE_LIMITED", retryAfterMs: 100 });
  expect(limits.take(who("ann"), 50)?.retryAfterMs).toBe(50);
  expect(limits.take(who("ann"), 100)).toBeUndefined();
  expect(limits.take(who("ann"), 101)?.reason).toBe("RATE_LIMITED");
  const later = [0, 0, 0, 0].map(() => limits.take(who("ann"), 60_000)?.reason);
  expect(later).toEqual([undefined, undefined, undefined, "RATE_LIMITED"]);
});

test("one user's haste is not another's", () => {
  const limits = limiter();
  for (let i = 0; i < 10; i++) limits.take(who("ann"), 0);
  expect(limits.take(who("bob"), 0)).toBeUndefined();
});

test("administrators and machines have no limit, and a limit of 0 is none", () => {
  const roles: readonly Role[] = ["SystemAdmin", "agent", "server"];
  const limits = limiter();
  for (const role of roles) for (let i = 0; i < 10; i++) expect(limits.take(who("x", role), 0)).toBeUndefined();
  const none = new RateLimiter({ requestsPerSecond: 0, requestBurst: 1 });
  for (let i = 0; i < 10; i++) expect(none.take(who("ann"), 0)).toBeUndefined();
});
