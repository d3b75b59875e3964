/** Nodes: registration, what heartbeats cause, and what operators ask for. */

import { present } from "../../../base/assert.ts";
import { compareNumber } from "../../../base/compare.ts";
import { ok } from "../../../base/result.ts";
import type { Allocation } from "../../domain/allocation.ts";
import { refuse } from "../../domain/errors.ts";
import type { NodeId } from "../../domain/ids.ts";
import { fits, NOTHING } from "../../domain/resources.ts";
import type { Applying } from "../applying.ts";
import { orderWipe, WIPING, writeNode } from "../applying.ts";
import type { CommandBody, Outcome } from "../commands.ts";
import { loseNode, stopAllocation } from "../ending.ts";
import { claimCount } from "../index-allocation.ts";

type Of<K extends CommandBody["kind"]> = Extract<CommandBody, { kind: K }>;

const DONE = ok({ kind: "done" } as const);

/** Takes a node in, or renews what is known of it. It becomes usable by a health report, not by this. */
export function registerNode(ctx: Applying, command: Of<"register-node">): Outcome {
  const { nodeId, ...facts } = command.registration;
  const before = ctx.state.tables.nodes.get(nodeId);
  if (before && before.instanceId !== facts.instanceId && before.health !== "down") {
    return refuse(
      "ALREADY_EXISTS",
      `node ${nodeId} is in use by another agent, at ${before.address}`,
      "give this agent another --node-id, or stop the other one and wait until the node is down",
    );
  }
  const used = ctx.state.indexes.nodeLoad.get(nodeId)?.used ?? NOTHING;
  if (!fits(used, facts.capacity)) {
    return refuse("ILLEGAL_TRANSITION", `node ${nodeId} came back with less than its running work holds`);
  }
  const standing = before ?? { isDisabled: false, health: "down" as const, reason: "registering" };
  writeNode(ctx, { ...standing, ...facts, id: nodeId, registeredAt: ctx.at, issues: command.issues });
  return DONE;
}

/** Takes in what the heartbeats of a node, or their absence, mean. */
export function setNodeHealth(ctx: Applying, command: Of<"set-node-health">): Outcome {
  const before = ctx.state.tables.nodes.get(command.node);
  if (!before) return refuse("NODE_NOT_FOUND", `there is no node ${command.node}`);
  const { health, reason, issues } = command;
  const keepsReason = before.isDisabled || before.drainReason !== undefined || before.wipe !== undefined;
  writeNode(ctx, { ...before, health, issues, reason: keepsReason ? before.reason : reason });
  if (health === "down") {
    for (const a of workOn(ctx, command.node)) loseNode(ctx, a, command);
  }
  return DONE;
}

/** Lets the node finish what it runs and gives it nothing new. */
export function drainNode(ctx: Applying, command: Of<"drain-node">): Outcome {
  const before = ctx.state.tables.nodes.get(command.node);
  if (!before) return refuse("NODE_NOT_FOUND", `there is no node ${command.node}`);
  writeNode(ctx, { ...before, drainReason: command.reason, reason: command.reason });
  return ok({ kind: "drained", activeAllocations: claimCount(ctx.state, command.node) });
}

/** Gives a drained node back to the scheduler. */
export function undrainNode(ctx: Applying, command: Of<"undrain-node">): Outcome {
  const before = ctx.state.tables.nodes.get(command.node);
  if (!before) return refuse("NODE_NOT_FOUND", `there is no node ${command.node}`);
  if (before.state === "draining") {
    const count = claimCount(ctx.state, command.node);
    const next = "wait for it to end, or cancel it, and undrain then";
    return refuse("ILLEGAL_TRANSITION", `node ${before.id} still runs ${count} allocations`, next);
  }
  if (before.wipe && before.drainReason === undefined) {
    return refuse(
      "ILLEGAL_TRANSITION",
      `node ${before.id} is being wiped after sensitive work`,
      "wait until it is done",
    );
  }
  if (before.drainReason === undefined) {
    return refuse("ILLEGAL_TRANSITION", `node ${before.id} is ${before.state}, not drained`);
  }
  const { drainReason: _, ...rest } = before;
  writeNode(ctx, { ...rest, reason: before.isDisabled ? before.reason : "" });
  return DONE;
}

/** Takes a node out until it is enabled; what runs there is ended and requeued by policy. */
export function disableNode(ctx: Applying, command: Of<"disable-node">): Outcome {
  const before = ctx.state.tables.nodes.get(command.node);
  if (!before) return refuse("NODE_NOT_FOUND", `there is no node ${command.node}`);
  writeNode(ctx, { ...before, isDisabled: true, reason: command.reason });
  for (const a of workOn(ctx, command.node)) stopAllocation(ctx, a, "node_failed");
  return DONE;
}

/** Undoes `disable`; a node whose wipe has failed is wiped again first. */
export function enableNode(ctx: Applying, command: Of<"enable-node">): Outcome {
  const before = ctx.state.tables.nodes.get(command.node);
  if (!before) return refuse("NODE_NOT_FOUND", `there is no node ${command.node}`);
  if (before.wipe?.hasFailed) {
    orderWipe(ctx, { ...before, isDisabled: false });
    return DONE;
  }
  if (!before.isDisabled) return refuse("ILLEGAL_TRANSITION", `node ${before.id} is not disabled`);
  writeNode(ctx, { ...before, isDisabled: false, reason: before.drainReason ?? (before.wipe ? WIPING : "") });
  return DONE;
}

/** Returns the allocations on a node, in order of submission. */
function workOn(ctx: Applying, node: NodeId): readonly Allocation[] {
  const ids = [...(ctx.state.indexes.nodeLoad.get(node)?.claims.keys() ?? [])];
  const work = ids.map((id) => present(ctx.state.tables.allocations.get(id), `no record of ${id}`));
  return work.sort((a, b) => compareNumber(a.shortId, b.shortId));
}
