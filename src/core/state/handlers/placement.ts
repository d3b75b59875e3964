/** Applying a plan: each placement is checked again and refused alone when it no longer holds. */
import type { Result } from "../../../base/result.ts";
import { ok } from "../../../base/result.ts";
import type { Allocation } from "../../domain/allocation.ts";
import type { Fault } from "../../domain/errors.ts";
import { refuse } from "../../domain/errors.ts";
import type { AllocationId } from "../../domain/ids.ts";
import { isSchedulable } from "../../domain/lifecycle.ts";
import type { Claim, GpuShare } from "../../domain/resources.ts";
import { addAmounts, fits, NOTHING, takeGpus } from "../../domain/resources.ts";
import type { Applying } from "../applying.ts";
import { changeAllocation } from "../applying.ts";
import type { CommandBody, Outcome, Placement } from "../commands.ts";
import { gpusFree, tenantLoadOf } from "../index-allocation.ts";
import type { State } from "../state.ts";
import { checkLoans } from "./loans.ts";
import { checkReservations } from "./reservations.ts";

/** Gives nodes to allocations. */
export function assignNodes(ctx: Applying, command: Extract<CommandBody, { kind: "assign-nodes" }>): Outcome {
  const refused: { allocation: AllocationId; fault: Fault }[] = [];
  for (const placement of command.placements) {
    const checked = check(ctx, placement);
    if (checked.ok) {
      const parts = placement.claims.map((claim) => ({
        claim: withGpus(ctx.state, claim),
        phase: "assigned" as const,
      }));
      changeAllocation(ctx, checked.value, { state: "staging", parts, message: "", notBefore: undefined });
    } else {
      refused.push({ allocation: placement.allocation, fault: checked.error });
    }
  }
  return ok({ kind: "assigned", refused });
}

/** Returns the claim with the GPUs that it holds: they follow from the state, and so are the same on every server. */
export function withGpus(state: State, claim: Claim): Claim {
  const gpus = gpusFor(state, claim);
  return gpus && gpus.length > 0 ? { ...claim, gpus } : claim;
}

function gpusFor(state: State, { nodeId, isExclusive, gpuMilli }: Claim): readonly GpuShare[] | undefined {
  const node = state.tables.nodes.get(nodeId);
  if (!node || isExclusive) return [];
  return takeGpus(gpusFree(node.capacity, state.indexes.nodeLoad.get(nodeId)), gpuMilli);
}

function check(ctx: Applying, placement: Placement): Result<Allocation, Fault> {
  const { state, at } = ctx;
  const a = state.tables.allocations.get(placement.allocation);
  if (!a) return refuse("ALLOCATION_NOT_FOUND", `there is no allocation ${placement.allocation}`);
  if (a.version !== placement.version || a.state !== "pending" || a.waitsFor.length > 0) {
    return refuse("VERSION_CONFLICT", `allocation ${a.id} has changed since the plan was made`);
  }
  if (a.notBefore !== undefined && at < a.notBefore) {
    return refuse("VERSION_CONFLICT", `allocation ${a.id} may not start before ${new Date(a.notBefore).toISOString()}`);
  }
  const { nodesMin, nodesMax } = a.spec.resources;
  const distinct = new Set(placement.claims.map((c) => c.nodeId)).size;
  if (distinct !== placement.claims.length || distinct < nodesMin || distinct > nodesMax) {
    return refuse("NODE_UNSUITABLE", `allocation ${a.id} needs ${nodesMin} to ${nodesMax} nodes, not ${distinct}`);
  }
  const quota = state.tables.tenants.get(a.spec.tenant)?.quota.nodesMax ?? 0;
  if (tenantLoadOf(state, a.spec.tenant).nodesHeld + distinct > quota) {
    return refuse("QUOTA_EXCEEDED", `tenant ${a.spec.tenant} may hold ${quota} nodes`);
  }
  const lent = checkLoans(state, a, placement.claims);
  if (!lent.ok) return lent;
  const open = checkReservations(ctx, a, placement.claims);
  if (!open.ok) return open;
  for (const claim of placement.claims) {
    const suitable = checkClaim(state, a, claim);
    if (!suitable.ok) return suitable;
  }
  return ok(a);
}

/** Returns why the claim of an allocation no longer holds, if so. */
export function checkClaim(state: State, a: Allocation, claim: Claim): Result<void, Fault> {
  const node = state.tables.nodes.get(claim.nodeId);
  if (!node || !isSchedulable(node.state)) {
    return refuse("NODE_UNSUITABLE", `node ${claim.nodeId} is ${node?.state ?? "unknown"}`);
  }
  const holder = state.indexes.heldFor.get(claim.nodeId);
  if (holder !== undefined && holder !== a.id) {
    return refuse("NODE_UNSUITABLE", `node ${claim.nodeId} is kept for allocation ${holder}`);
  }
  const claimant = node.sensitiveClaim?.user;
  if (claimant !== undefined && claimant !== a.user) {
    return refuse("NODE_UNSUITABLE", `node ${node.id} is claimed by ${claimant} for sensitive work`);
  }
  const load = state.indexes.nodeLoad.get(claim.nodeId);
  const isTaken = claim.isExclusive ? (load?.claims.size ?? 0) > 0 : (load?.exclusiveCount ?? 0) > 0;
  if (isTaken || !gpusFor(state, claim) || !fits(addAmounts(load?.used ?? NOTHING, claim), node.capacity)) {
    return refuse("NODE_UNSUITABLE", `node ${claim.nodeId} has not enough free`);
  }
  if (a.spec.isSensitive && !claim.isExclusive) {
    return refuse("NODE_UNSUITABLE", `sensitive allocation ${a.id} takes whole nodes`);
  }
  return ok(undefined);
}
