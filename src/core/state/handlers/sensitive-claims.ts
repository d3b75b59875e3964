/**
 * Claims of nodes for sensitive work, and what comes after them.
 *
 * Invariant INV-S6: a node on which sensitive work has run takes nobody else's work until a
 * wipe is confirmed and committed; one whose wipe fails takes none.
 */
import { ok } from "../../../base/result.ts";
import { refuse } from "../../domain/errors.ts";
import { isSchedulable } from "../../domain/lifecycle.ts";
import type { Applying } from "../applying.ts";
import { orderWipe, writeNode } from "../applying.ts";
import type { CommandBody, Outcome } from "../commands.ts";
import { claimCount } from "../index-allocation.ts";

type Of<K extends CommandBody["kind"]> = Extract<CommandBody, { kind: K }>;

const DONE = ok({ kind: "done" } as const);

/** Keeps an idle node for the proposer. The first claim wins; a repeat by the same user changes nothing. */
export function claimNode(ctx: Applying, { node: id, tenant }: Of<"claim-node">): Outcome {
  const node = ctx.state.tables.nodes.get(id);
  if (!node) return refuse("NODE_NOT_FOUND", `there is no node ${id}`);
  if (node.sensitiveClaim?.user === ctx.by) return DONE;
  if (node.sensitiveClaim) {
    return refuse("ILLEGAL_TRANSITION", `node ${id} is claimed by ${node.sensitiveClaim.user}`, "claim another node");
  }
  if (!isSchedulable(node.state)) {
    return refuse("ILLEGAL_TRANSITION", `node ${id} is ${node.state}`, "claim a node that is ready: lattice nodes");
  }
  const count = claimCount(ctx.state, id);
  if (count > 0) {
    const next = "claim an idle node, or have this one drained first: lattice nodes";
    return refuse("ILLEGAL_TRANSITION", `node ${id} runs ${count} allocations`, next);
  }
  const sensitiveClaim = { user: ctx.by, ...(tenant !== undefined && { tenant }), since: ctx.at };
  writeNode(ctx, { ...node, sensitiveClaim, reason: `claimed by ${ctx.by}` });
  ctx.events.push({ kind: "policy-changed" });
  return DONE;
}

/** Gives a claimed node back: it is wiped first. */
export function releaseNode(ctx: Applying, { node: id }: Of<"release-node">): Outcome {
  const node = ctx.state.tables.nodes.get(id);
  if (!node) return refuse("NODE_NOT_FOUND", `there is no node ${id}`);
  if (!node.sensitiveClaim) return refuse("ILLEGAL_TRANSITION", `node ${id} is not claimed`);
  const count = claimCount(ctx.state, id);
  if (count > 0) {
    const next = "wait for its work to end, or cancel it, and release then";
    return refuse("ILLEGAL_TRANSITION", `node ${id} still runs ${count} allocations`, next);
  }
  const { sensitiveClaim: _, ...rest } = node;
  orderWipe(ctx, rest);
  return DONE;
}

/** Takes in how a wipe went; what is said of another wipe than the one ordered counts for nothing. */
export function recordWipe(ctx: Applying, { node: id, wipe, isDone, detail }: Of<"record-wipe">): Outcome {
  const node = ctx.state.tables.nodes.get(id);
  if (!node) return refuse("NODE_NOT_FOUND", `there is no node ${id}`);
  if (node.wipe?.id !== wipe || node.wipe.hasFailed) {
    return refuse("ILLEGAL_TRANSITION", `node ${id} has no wipe ${wipe} under way`);
  }
  ctx.events.push({ kind: "assignments-changed", node: id });
  if (isDone) {
    const { wipe: _, ...rest } = node;
    writeNode(ctx, { ...rest, reason: node.drainReason ?? (node.isDisabled ? node.reason : "") });
  } else {
    writeNode(ctx, { ...node, wipe: { id: wipe, hasFailed: true }, reason: `quarantined: its wipe failed: ${detail}` });
  }
  return DONE;
}
