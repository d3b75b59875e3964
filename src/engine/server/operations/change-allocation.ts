/** Changing what was submitted: cancelling it, and how long it may run. */
import { millis } from "../../../base/brand.ts";
import { displayId } from "../../../core/domain/allocation.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import type { Call } from "../call.ts";
import type { Server } from "../server.ts";
import { actOn, demand, resourceOf } from "./access.ts";
import { allocationDetail, detailOf } from "./details.ts";
import type { Found } from "./lookup.ts";
import { find, findById, findOne } from "./lookup.ts";
import { isRepeat, propose } from "./propose.ts";
import type { AllocationDetail } from "./results.ts";

/** Cancels an allocation or a whole array. What runs has ended when its state says so. */
export async function cancelAllocation(server: Server, call: Call, ref: string): Promise<void> {
  const found = find(server, ref);
  demand(call, "allocation.cancel", resourceOf(found.record));
  if (!isRepeat(server, call, "cancel")) refuseArchived(found);
  const target = found.record.id;
  const act = actOn("allocation.cancel", found.record);
  await propose(server, call, { operation: "cancel", request: target, body: { kind: "cancel", target }, act });
}

/** Changes how long an allocation may run in all, and returns it as it then is. */
export async function updateWalltime(
  server: Server,
  call: Call,
  { ref, walltimeMs }: { readonly ref: string; readonly walltimeMs: number },
): Promise<AllocationDetail> {
  if (!Number.isSafeInteger(walltimeMs) || walltimeMs < 1) {
    throw new LatticeError(fault("INVALID_SPEC", `walltime is ${walltimeMs} ms and must be more than 0`));
  }
  const a = findOne(server, ref);
  demand(call, "allocation.update", resourceOf(a));
  const body = { kind: "update-walltime", allocation: a.id, walltimeMs: millis(walltimeMs) } as const;
  const act = actOn("allocation.update", a);
  await propose(server, call, { operation: "update-walltime", request: [a.id, walltimeMs], body, act });
  const found = findById(server, a.id);
  return found ? detailOf(server, found) : allocationDetail(server, a);
}

function refuseArchived(found: Found): void {
  if (!found.isArchived) return;
  const name = found.kind === "allocation" ? displayId(found.record) : String(found.record.shortId);
  throw new LatticeError(fault("ILLEGAL_TRANSITION", `allocation ${name} has ended already`));
}
