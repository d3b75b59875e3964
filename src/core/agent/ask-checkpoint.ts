/** Asking a workload to save its state before it is ended; `settle` in step.ts decides when. */
import type { Millis } from "../../base/brand.ts";
import { millis } from "../../base/brand.ts";
import type { Workload } from "./agent.ts";
import type { Draft } from "./draft.ts";
import { noteOf, put, timer } from "./draft.ts";

/** Asks a workload to save its state, for which it has until then. */
export function ask(draft: Draft, workload: Workload, until: Millis): void {
  put(draft, { ...workload, stage: "checkpointing" });
  draft.effects.push(noteOf(workload, until), { kind: "checkpoint", key: workload.key });
  draft.effects.push(timer("checkpoint", until, workload));
}

/** An agent that was gone cannot know whether the signal was sent: it is, perhaps for the second time. */
export function askAgain(draft: Draft, workload: Workload, until: Millis): void {
  ask(draft, { ...workload, isAsked: true, checkpointMs: millis(Math.max(0, until - draft.at)) }, until);
}
