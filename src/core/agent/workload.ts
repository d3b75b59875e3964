/**
 * How one workload takes what happened to it. These functions only note facts; what to do
 * about them is decided by `settle` in step.ts.
 */
import type { Millis } from "../../base/brand.ts";
import type { EndCause } from "../domain/allocation.ts";
import type { WorkloadExit } from "../domain/workload.ts";
import type { Workload } from "./agent.ts";

/** Notes that the workload is to end; the first cause stays. */
export const beginEnd = (workload: Workload, cause: EndCause): Workload =>
  workload.endCause !== undefined || workload.exit !== undefined || workload.stage === "ended"
    ? workload
    : { ...workload, endCause: cause };

/** Notes that its files and limits are there. */
export const onPrepared = (workload: Workload): Workload =>
  workload.stage === "preparing" ? { ...workload, stage: "prepared" } : workload;

/** Notes that it cannot run here. */
export const onStartFailed = (workload: Workload, detail: string): Workload =>
  workload.stage === "preparing" || workload.stage === "starting"
    ? { ...workload, stage: "ended", isDead: true, exit: { cause: "start_failed", detail } }
    : workload;

/** Notes that its process runs. An exit may have overtaken this. */
export const onStarted = (workload: Workload, startedAt: Millis): Workload =>
  workload.stage === "starting" ? { ...workload, stage: "running", startedAt } : workload;

/** Notes how its process ended. */
export const onExited = (workload: Workload, exit: WorkloadExit): Workload =>
  workload.exit === undefined && workload.stage !== "ended" ? { ...workload, exit } : workload;

/** Notes that nothing of it is alive. */
export function onKilled(workload: Workload): Workload {
  if (workload.stage !== "killing") return workload;
  const { killFault: _, ...rest } = workload;
  return { ...rest, isDead: true };
}

/** Notes that something of it would not die. */
export const onKillFailed = (workload: Workload, detail: string): Workload =>
  workload.stage === "killing" ? { ...workload, killFault: detail } : workload;

/** Notes that it is asked to save its state. */
export const onCheckpointAsked = (workload: Workload): Workload =>
  workload.stage === "checkpointing" ? { ...workload, isAsked: true } : workload;

/** Notes that its state is saved. */
export const onCheckpointed = (workload: Workload): Workload =>
  workload.stage === "checkpointing" ? { ...workload, isSaved: true } : workload;

/** Notes that it has no time to save its state. */
export function withoutCheckpoint(workload: Workload): Workload {
  const { checkpointMs: _, ...rest } = workload;
  return rest;
}

/**
 * Notes that it ended in the time that it had to save its state. Who was asked and leaves
 * with 0 has saved it; who left before it was asked has simply ended.
 */
export function onLeft(workload: Workload): Workload {
  const { endCause: _, ...ended } = workload;
  if (!workload.isAsked) return ended;
  const isClean = workload.exit?.exitCode === 0 && !workload.exit.signal;
  return { ...workload, isSaved: workload.isSaved === true || isClean };
}

/** Returns why it ended: the agent's own decision to end it outweighs how the process then went. */
export function endCauseOf({ endCause, isSaved, exit }: Workload): EndCause {
  if (endCause === "stopped" && isSaved) return "checkpointed";
  return endCause ?? exit?.cause ?? "lost";
}
