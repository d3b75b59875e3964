/** The record of what tenants and users have used: begun, and added to as work ends. */
import { compareNumber } from "../../../base/compare.ts";
import { ok } from "../../../base/result.ts";
import type { Allocation } from "../../domain/allocation.ts";
import { refuse } from "../../domain/errors.ts";
import { isTerminal } from "../../domain/lifecycle.ts";
import type { Applying } from "../applying.ts";
import { writeMeta } from "../applying.ts";
import type { CommandBody, Outcome } from "../commands.ts";
import type { State } from "../state.ts";
import { metaOf } from "../state.ts";
import { recordUsage, usageOf } from "../used-work.ts";

/** Has use count by this half-life from now on. The first one begins the record, with the work that is still in memory. */
export function setUsageHalfLife(
  ctx: Applying,
  { halfLifeMs }: Extract<CommandBody, { kind: "set-usage-half-life" }>,
): Outcome {
  if (!(halfLifeMs > 0)) return refuse("INVALID_SPEC", `the half-life is ${halfLifeMs} ms`);
  const before = usageOf(ctx.state);
  if (metaOf(ctx.state).usageHalfLifeMs === halfLifeMs) return ok({ kind: "done" });
  before?.convert(halfLifeMs, ctx.at);
  writeMeta(ctx, { usageHalfLifeMs: halfLifeMs });
  if (!before) for (const ended of endedOf(ctx.state)) recordUsage(ctx.state, ended);
  ctx.events.push({ kind: "policy-changed" });
  return ok({ kind: "done" });
}

/** In the order in which it ended. */
const endedOf = ({ tables }: State): readonly Allocation[] =>
  [...tables.allocations.values()]
    .filter(({ state }) => isTerminal(state))
    .sort((a, b) => compareNumber(a.version, b.version) || compareNumber(a.shortId, b.shortId));
