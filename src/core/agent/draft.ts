/**
 * The agent while one input is worked on: what is known so far and what is to be done. Made
 * and given back by `step`; its helpers write into it.
 */
import type { Millis } from "../../base/brand.ts";
import { millis } from "../../base/brand.ts";
import { workloadName } from "../domain/workload.ts";
import type { AgentEffect, AgentMemory, TimerName, Workload } from "./agent.ts";

/** The state while one input is worked on, and the effects so far. */
export interface Draft {
  readonly at: Millis;
  memory: AgentMemory;
  readonly workloads: Map<string, Workload>;
  sequence: number;
  readonly effects: AgentEffect[];
}

/** Returns the effect that sets a timer of a workload. */
export const timer = (name: TimerName, at: number, { key }: Workload): AgentEffect => ({
  kind: "set-timer",
  timer: name,
  key,
  at: millis(at),
});

/** Returns the effect that keeps what a restarted agent must know of a workload. */
export function noteOf({ key, walltimeMs, endCause }: Workload, checkpointUntil?: Millis): AgentEffect {
  const ending = endCause === undefined ? {} : { endCause };
  return {
    kind: "note",
    key,
    note: { walltimeMs, ...ending, ...(checkpointUntil !== undefined && { checkpointUntil }) },
  };
}

/** Writes a workload. */
export function put(draft: Draft, workload: Workload): void {
  draft.workloads.set(workloadName(workload.key), workload);
}
