/**
 * How allocations end: stopping them, judging their parts, requeueing by policy.
 * Nodes are released only when every reachable one has confirmed that its part is over.
 */
import type { Millis } from "../../base/brand.ts";
import { millis } from "../../base/brand.ts";
import type { Allocation, Part, StopReason } from "../domain/allocation.ts";
import { nodesOf } from "../domain/allocation.ts";
import type { NodeId } from "../domain/ids.ts";
import type { AllocationChange, Applying } from "./applying.ts";
import { changeAllocation } from "./applying.ts";
import { recordUsage } from "./used-work.ts";

/** Ends of a part that are the node's fault, not the work's. */
const LOST: ReadonlySet<string> = new Set(["lost", "node_lost", "supervisor_lost", "isolated"]);

const isLost = (part: Part): boolean => part.cause !== undefined && LOST.has(part.cause);
const isNodeFault = (a: Allocation): boolean => a.parts.some(isLost) || a.stopping?.reason === "node_failed";
const isOver = (part: Part): boolean => part.phase === "ended";
const isSuccess = (part: Part): boolean => part.cause === "exited" && part.exitCode === 0 && !part.signal;

/** A stop that the user or the clock asked for is not weakened by one that follows from a failure. */
const WEIGHT: Readonly<Record<StopReason, number>> = {
  head_ended: 0,
  part_failed: 1,
  scaled_down: 1,
  node_failed: 2,
  preempted: 2,
  dependency: 3,
  walltime: 3,
  cancelled: 4,
};

/** Asks the nodes to end the work. Repeating it, or asking for a weaker reason, changes nothing. */
export function stopAllocation(ctx: Applying, a: Allocation, reason: StopReason): Allocation {
  if (a.stopping && WEIGHT[a.stopping.reason] >= WEIGHT[reason]) return a;
  return changeAllocation(ctx, a, { stopping: { reason, at: ctx.at, by: ctx.by } });
}

/** Replaces the parts and does what follows: others are stopped, or the allocation ends. */
export function changeParts(ctx: Applying, before: Allocation, all: readonly Part[]): void {
  // A node that a service gave back is no part of it any more.
  const parts = all.filter((part) => !(part.isLeaving && isOver(part)));
  if (parts.every(isOver)) {
    conclude(ctx, { ...before, parts });
    return;
  }
  const a = changeAllocation(ctx, before, { parts });
  if (parts.some((p) => isOver(p) && isLost(p))) {
    stopAllocation(ctx, a, "node_failed");
  } else if (a.spec.runOn === "first" && parts[0] && isOver(parts[0])) {
    stopAllocation(ctx, a, "head_ended");
  } else if (parts.some((p) => isOver(p) && !isSuccess(p))) {
    stopAllocation(ctx, a, "part_failed");
  }
}

/** Counts the parts on a node as over: the servers gave it up. */
export function loseNode(
  ctx: Applying,
  a: Allocation,
  { node, isolatedUntil }: { readonly node: NodeId; readonly isolatedUntil: Millis },
): void {
  const surely = millis(isolatedUntil + a.spec.gracePeriodMs);
  const isolation = a.spec.isolation === "stop" ? { isolatedUntil: surely } : {};
  const parts = a.parts.map(
    (part): Part =>
      part.claim.nodeId === node && !isOver(part)
        ? { ...part, phase: "ended", cause: "node_lost", detail: `node ${node} was lost`, ...isolation }
        : part,
  );
  changeParts(ctx, a, parts);
}

/** Ends an allocation whose parts are all over. */
function conclude(ctx: Applying, a: Allocation): void {
  const ran = a.spec.runOn === "first" ? a.parts.slice(0, 1) : a.parts;
  const culprit = ran.find((p) => !isSuccess(p) && p.cause !== "stopped") ?? ran.find((p) => !isSuccess(p)) ?? ran[0];
  const status = { exitCode: culprit?.exitCode, signal: culprit?.signal || undefined };
  const end = { endedAt: ctx.at, ...status };
  switch (a.stopping?.reason) {
    case "cancelled":
    case "dependency":
      changeAllocation(ctx, a, { ...end, state: "cancelled", message: `cancelled by ${a.stopping.by}` });
      return;
    case "walltime":
      changeAllocation(ctx, a, { ...end, state: "failed", message: overTime(a) });
      return;
    case "preempted":
      if (ran.some((p) => p.cause === "checkpointed" || p.cause === "stopped" || isLost(p))) makeRoom(ctx, a, ran);
      else judgeEnd(ctx, a, { ran, culprit, status });
      return;
    default:
      judgeEnd(ctx, a, { ran, culprit, status });
  }
}

/** Returns which of its limits ended it. */
function overTime({ walltimeMs, spec, stopping }: Allocation): string {
  const isLate = spec.deadline !== undefined && (stopping?.at ?? 0) >= spec.deadline;
  return isLate
    ? `its deadline ${new Date(spec.deadline ?? 0).toISOString()} passed`
    : `walltime of ${walltimeMs / 1000} s exceeded`;
}

/**
 * Puts work that made room back into the queue: it goes on from its saved state with the
 * walltime that is left, or does again what was lost. What had ended before it was asked
 * to make room has simply ended.
 */
function makeRoom(ctx: Applying, a: Allocation, ran: readonly Part[]): void {
  const isSaved = a.startedAt !== undefined && ran.every((p) => p.cause === "checkpointed" || isSuccess(p));
  const why = `it made room for ${a.stopping?.by}; ${isSaved ? "its state was saved" : "its state was not saved"}`;
  const usedMs = millis((a.savedMs ?? 0) + ctx.at - (a.startedAt ?? ctx.at));
  const cleared = isSaved && a.state === "checkpointing" ? suspend(ctx, a, millis(usedMs)) : a;
  restart(ctx, cleared, { why, of: a, change: { preemptedCount: (a.preemptedCount ?? 0) + 1 } });
}

/** Nothing of it runs and its nodes are free: what is left of it is its saved state. */
const suspend = (ctx: Applying, a: Allocation, savedMs: Millis): Allocation =>
  changeAllocation(ctx, a, {
    state: "suspended",
    message: "its state is saved",
    parts: [],
    stopping: undefined,
    startedAt: undefined,
    savedMs,
  });

interface Ending {
  /** The parts that ran something. */
  readonly ran: readonly Part[];
  /** The part that decides how the allocation ended. */
  readonly culprit: Part | undefined;
  readonly status: Pick<AllocationChange, "exitCode" | "signal">;
}

function judgeEnd(ctx: Applying, a: Allocation, { ran, culprit, status }: Ending): void {
  const { requeuePolicy } = a.spec;
  if (ran.every(isSuccess) && !(a.spec.lifecycle !== "bounded" && requeuePolicy === "always")) {
    changeAllocation(ctx, a, { state: "completed", endedAt: ctx.at, exitCode: 0, message: "" });
  } else if (isNodeFault(a)) {
    const lost = a.parts.find(isLost);
    const why = lost ? explainEnd(lost) : "its node was taken out";
    requeue(ctx, a, { isAllowed: requeuePolicy !== "never", why, status });
  } else {
    const why = culprit ? explainEnd(culprit) : "it ended";
    requeue(ctx, a, { isAllowed: requeuePolicy === "always", why, status });
  }
}

/** Returns how a part ended, for people. */
function explainEnd(part: Part): string {
  const where = `on ${part.claim.nodeId}`;
  switch (part.cause) {
    case "out_of_memory":
      return `out of memory ${where}: it may use ${Math.round(part.claim.memoryBytes / 1_048_576)} MiB there`;
    case "exited":
      return part.signal
        ? `killed by signal ${part.signal} ${where}`
        : `exit code ${part.exitCode ?? "unknown"} ${where}`;
    default:
      return part.detail || `${part.cause ?? "ended"} ${where}`;
  }
}

/** Delay before a service that ended is started again: 1 s, doubled each time, at most 60 s. */
const restartDelayMs = (requeueCount: number): number => Math.min(60_000, 1000 << Math.min(6, requeueCount));

/** A service that ran so long ran well: its restarts are counted anew. */
const RAN_WELL_MS = 600_000;

/** Returns the restarts that count against the limit. */
function restartsOf({ at }: Applying, { spec, startedAt, requeueCount }: Allocation): number {
  const ranWell = spec.lifecycle !== "bounded" && startedAt !== undefined && at - startedAt >= RAN_WELL_MS;
  return ranWell ? 0 : requeueCount;
}

/**
 * Puts an allocation back into the queue, or fails it when its policy or cap forbids.
 * Work that must not run twice waits until the lost node has surely ended it.
 */
function requeue(
  ctx: Applying,
  a: Allocation,
  options: { readonly isAllowed: boolean; readonly why: string; readonly status: Ending["status"] },
): void {
  const { isAllowed, why, status } = options;
  const restarts = restartsOf(ctx, a);
  if (!isAllowed || restarts >= a.spec.requeueMax) {
    const cap = isAllowed ? `; requeued ${restarts} times, the limit` : "";
    changeAllocation(ctx, a, { state: "failed", endedAt: ctx.at, ...status, message: `${why}${cap}` });
    return;
  }
  const restartAt = isNodeFault(a) ? 0 : ctx.at + restartDelayMs(restarts);
  restart(ctx, a, { why, of: a, restartAt, change: { requeueCount: restarts + 1 } });
}

interface Restart {
  readonly why: string;
  /** The allocation as its run ended. */
  readonly of: Allocation;
  /** Not before this moment. */
  readonly restartAt?: number;
  readonly change: AllocationChange;
}

/** Makes an allocation pending again. Its submit time stays; what the run used is used. */
function restart(ctx: Applying, a: Allocation, { why, of, restartAt = 0, change }: Restart): void {
  recordUsage(ctx.state, { ...of, endedAt: ctx.at });
  const isolatedUntil = Math.max(0, ...of.parts.map((p) => p.isolatedUntil ?? 0));
  const notBefore = Math.max(isolatedUntil, restartAt, a.spec.begin ?? 0);
  changeAllocation(ctx, a, {
    state: "pending",
    message: `requeued: ${why}`,
    attempt: a.attempt + 1,
    pastAttempts: [...(a.pastAttempts ?? []), { attempt: a.attempt, nodes: nodesOf(of), message: why }],
    parts: [],
    stopping: undefined,
    startedAt: undefined,
    notBefore: notBefore > 0 ? millis(notBefore) : undefined,
    ...change,
  });
}
