/**
 * Services that grow and shrink while they run, a node at a time: a new node joins once it is
 * ready, one that leaves ends its part while the others go on. The first node never leaves.
 */
import type { Result } from "../../../base/result.ts";
import { ok } from "../../../base/result.ts";
import type { Allocation, Part } from "../../domain/allocation.ts";
import { displayId, nodesOf } from "../../domain/allocation.ts";
import type { Fault } from "../../domain/errors.ts";
import { refuse } from "../../domain/errors.ts";
import type { Applying } from "../applying.ts";
import { changeAllocation } from "../applying.ts";
import type { CommandBody, Outcome } from "../commands.ts";
import { findAllocation } from "../dependencies.ts";
import { tenantLoadOf } from "../index-allocation.ts";
import { checkClaim, withGpus } from "./placement.ts";

type Scale = Extract<CommandBody, { kind: "scale-service" }>;

/** Gives a service one node more, or has it give one back. */
export function scaleService(ctx: Applying, command: Scale): Outcome {
  const found = findAllocation(ctx.state, command.allocation);
  if (!found) return refuse("ALLOCATION_NOT_FOUND", `there is no allocation ${command.allocation}`);
  if (found.version !== command.version || found.state !== "running" || found.stopping) {
    return refuse("VERSION_CONFLICT", `allocation ${displayId(found)} has changed since it was measured`);
  }
  const parts = command.change.kind === "grow" ? grown(ctx, found, command.change.claim) : shrunk(found);
  if (!parts.ok) return parts;
  const count = parts.value.filter((part) => !part.isLeaving).length;
  changeAllocation(ctx, found, {
    parts: parts.value,
    scaledAt: ctx.at,
    message: `${count} ${count === 1 ? "node" : "nodes"}: ${command.why}`,
  });
  return ok({ kind: "done" });
}

function grown({ state }: Applying, a: Allocation, claim: Part["claim"]): Result<readonly Part[], Fault> {
  const { reactive, tenant } = a.spec;
  const quota = state.tables.tenants.get(tenant)?.quota.nodesMax ?? 0;
  if (!reactive || a.parts.length >= reactive.nodesMax || nodesOf(a).includes(claim.nodeId)) {
    return refuse("ILLEGAL_TRANSITION", `allocation ${displayId(a)} may not have ${a.parts.length + 1} nodes`);
  }
  if (tenantLoadOf(state, tenant).nodesHeld >= quota) {
    return refuse("QUOTA_EXCEEDED", `tenant ${tenant} may hold ${quota} nodes`);
  }
  const suitable = checkClaim(state, a, claim);
  return suitable.ok ? ok([...a.parts, { claim: withGpus(state, claim), phase: "assigned" }]) : suitable;
}

function shrunk(a: Allocation): Result<readonly Part[], Fault> {
  const { reactive } = a.spec;
  const staying = a.parts.filter((part) => !part.isLeaving);
  const last = staying.at(-1);
  if (!reactive || !last || staying.length <= Math.max(1, reactive.nodesMin)) {
    return refuse("ILLEGAL_TRANSITION", `allocation ${displayId(a)} may not have ${staying.length - 1} nodes`);
  }
  return ok(a.parts.map((part) => (part === last ? { ...part, isLeaving: true } : part)));
}
