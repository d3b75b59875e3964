/**
 * What an agent does: one pure function from state and input to state and effects. It is
 * level-triggered: each input only notes what is true, then `settle` compares every
 * workload with what is wanted of it.
 */
import type { Millis } from "../../base/brand.ts";
import { millis } from "../../base/brand.ts";
import type { EndCause } from "../domain/allocation.ts";
import type { DesiredSet, WorkloadReport } from "../domain/assignment.ts";
import { compareFence } from "../domain/assignment.ts";
import type { RecoveredWorkload } from "../domain/workload.ts";
import { workloadName } from "../domain/workload.ts";
import type { Agent, AgentEffect, AgentInput, AgentMemory, TimerName, Workload } from "./agent.ts";
import { NO_MEMORY, reportOf } from "./agent.ts";
import { ask, askAgain } from "./ask-checkpoint.ts";
import type { Draft } from "./draft.ts";
import { noteOf, put, timer } from "./draft.ts";
import {
  beginEnd,
  endCauseOf,
  onCheckpointAsked,
  onCheckpointed,
  onExited,
  onKilled,
  onKillFailed,
  onLeft,
  onPrepared,
  onStarted,
  onStartFailed,
  withoutCheckpoint,
} from "./workload.ts";

/** Reports that are not committed are sent again after this long. */
export const REPORT_REPEAT_MS = 10_000;
/** A workload that could not be killed is killed again after this long. */
const KILL_REPEAT_MS = 5_000;
/** How exactly it is known when a server was last heard. */
const HEARD_RESOLUTION_MS = 1_000;

/** Returns the agent after `input`, and what its shell has to do, in order. */
export function step(agent: Agent, input: AgentInput): { agent: Agent; effects: readonly AgentEffect[] } {
  const { memory, sequence } = agent;
  const draft: Draft = { at: input.at, memory, workloads: new Map(agent.workloads), sequence, effects: [] };
  react(draft, input);
  settle(draft);
  reportChanges(draft);
  releaseEnded(draft);
  const after = { memory: draft.memory, workloads: draft.workloads, sequence: draft.sequence };
  return { agent: after, effects: draft.effects };
}

function react(draft: Draft, input: AgentInput): void {
  switch (input.kind) {
    case "recovered":
      onRecovered(draft, input.workloads, input.memory);
      break;
    case "welcomed":
      onWelcomed(draft, input.isolationGraceMs);
      break;
    case "server-heard":
      onServerHeard(draft);
      break;
    case "desired-received":
      onDesired(draft, input.desired);
      break;
    case "reports-committed":
      onReportsCommitted(draft, input.sequence);
      break;
    case "timer-fired":
      onTimer(draft, input.timer, input.key && workloadName(input.key));
      break;
    default:
      onWorkloadInput(draft, input);
  }
}

type WorkloadInput = Exclude<Extract<AgentInput, { key: unknown }>, { kind: "timer-fired" }>;

function onWorkloadInput(draft: Draft, input: WorkloadInput): void {
  const workload = draft.workloads.get(workloadName(input.key));
  if (workload === undefined) return;
  const after = noteInput(workload, input);
  put(draft, after);
  if (input.kind === "started") armWalltime(draft, after);
  if (input.kind === "kill-failed") draft.effects.push(timer("kill", draft.at + KILL_REPEAT_MS, after));
}

function noteInput(workload: Workload, input: WorkloadInput): Workload {
  switch (input.kind) {
    case "prepared":
      return onPrepared(workload);
    case "prepare-failed":
    case "start-failed":
      return onStartFailed(workload, input.detail);
    case "started":
      return onStarted(workload, input.startedAt);
    case "exited":
      return onExited(workload, input.exit);
    case "checkpoint-asked":
      return onCheckpointAsked(workload);
    case "checkpoint-unheard":
      return withoutCheckpoint(workload);
    case "checkpointed":
      return onCheckpointed(workload);
    case "killed":
      return onKilled(workload);
    case "kill-failed":
      return onKillFailed(workload, input.detail);
  }
}

function onRecovered(draft: Draft, found: readonly RecoveredWorkload[], memory: AgentMemory | undefined): void {
  draft.memory = memory ?? NO_MEMORY;
  for (const { key, work, fence, state, startedAt, exit, note, isSaved } of found) {
    if (compareFence(fence, draft.memory.fence) > 0) draft.memory = { ...draft.memory, fence };
    const workload: Workload = {
      key,
      work,
      stage: state === "prepared" ? "prepared" : "running",
      wants: state === "prepared" ? "hold" : "run",
      isNamed: true,
      walltimeMs: note?.walltimeMs ?? work.spec.walltimeMs,
      isDead: false,
      ...(startedAt !== undefined && { startedAt }),
      ...(exit !== undefined && { exit }),
      ...(note?.endCause !== undefined && { endCause: note.endCause }),
      ...(isSaved && { isSaved }),
    };
    if (note?.checkpointUntil === undefined || state === "prepared") put(draft, workload);
    else askAgain(draft, workload, note.checkpointUntil);
  }
  for (const workload of draft.workloads.values()) armWalltime(draft, workload);
  armIsolation(draft);
}

function onWelcomed(draft: Draft, isolationGraceMs: Millis): void {
  draft.memory = { ...draft.memory, isolationGraceMs };
  onServerHeard(draft);
  repeatReports(draft);
}

/** A restart must not forget how long ago a server was heard while work depends on it. */
function onServerHeard(draft: Draft): void {
  if (draft.at < draft.memory.heardAt + HEARD_RESOLUTION_MS) return;
  draft.memory = { ...draft.memory, heardAt: draft.at };
  if (isolatedOf(draft).length > 0) draft.effects.push({ kind: "remember", memory: draft.memory });
}

function onDesired(draft: Draft, desired: DesiredSet): void {
  if (compareFence(desired.fence, draft.memory.fence) < 0) {
    draft.effects.push({ kind: "set-refused", fence: desired.fence });
    return;
  }
  draft.memory = { ...draft.memory, fence: desired.fence };
  const named = new Set<string>();
  for (const assignment of desired.assignments) {
    const name = workloadName(assignment);
    named.add(name);
    const known = draft.workloads.get(name);
    const workload: Workload = known ?? fresh(assignment);
    if (known === undefined && assignment.action.kind !== "stop") {
      draft.effects.push({ kind: "prepare", key: workload.key, work: workload.work, fence: desired.fence });
    }
    put(draft, applyAssignment(workload, assignment));
    if (known !== undefined && known.walltimeMs !== assignment.walltimeMs) onWalltimeChanged(draft, name);
  }
  for (const [name, workload] of draft.workloads) {
    if (!named.has(name)) put(draft, beginEnd({ ...withoutCheckpoint(workload), isNamed: false }, "lost"));
  }
  armIsolation(draft);
}

type Assignment = DesiredSet["assignments"][number];

function fresh({ allocation, attempt, work, walltimeMs, action }: Assignment): Workload {
  return {
    key: { allocation, attempt },
    work: { ...work, spec: { ...work.spec, walltimeMs } },
    // What is stopped before it was ever here has nothing to end.
    stage: action.kind === "stop" ? "prepared" : "preparing",
    wants: "hold",
    isNamed: true,
    walltimeMs,
    isDead: false,
  };
}

function applyAssignment(workload: Workload, { action, walltimeMs }: Assignment): Workload {
  const named: Workload = { ...workload, isNamed: true, walltimeMs };
  switch (action.kind) {
    case "prepare":
      return named;
    case "run":
      return { ...named, wants: "run" };
    case "stop": {
      const ending = beginEnd(withoutCheckpoint(named), action.reason === "walltime" ? "walltime" : "stopped");
      return action.checkpointMs === undefined ? ending : withCheckpoint(named, ending, action.checkpointMs);
    }
  }
}

/** It is told so once: that its time is over, or that nobody takes the signal, stays as it is. */
const withCheckpoint = (before: Workload, ending: Workload, checkpointMs: Millis): Workload =>
  before.endCause === undefined || before.checkpointMs !== undefined ? { ...ending, checkpointMs } : ending;

function onWalltimeChanged(draft: Draft, name: string): void {
  const workload = draft.workloads.get(name);
  if (workload === undefined || workload.stage === "ended") return;
  draft.effects.push(noteOf(workload));
  armWalltime(draft, workload);
}

function onReportsCommitted(draft: Draft, sequence: number): void {
  for (const workload of draft.workloads.values()) {
    if (workload.report?.sequence !== sequence) continue;
    put(draft, { ...workload, report: { ...workload.report, isCommitted: true } });
  }
}

function onTimer(draft: Draft, name: TimerName, of: string | undefined): void {
  if (name === "isolation") endIsolated(draft);
  if (name === "report") repeatReports(draft);
  const workload = draft.workloads.get(of ?? "");
  if (workload === undefined) return;
  if (name === "walltime") endOverdue(draft, workload);
  if (name === "checkpoint") put(draft, withoutCheckpoint(workload));
  if (name === "grace" && workload.stage === "terminating") kill(draft, workload);
  if (name === "kill" && workload.stage === "killing") kill(draft, workload);
}

function endOverdue(draft: Draft, workload: Workload): void {
  const { startedAt, walltimeMs } = workload;
  if (startedAt === undefined || walltimeMs === 0) return;
  if (draft.at < startedAt + walltimeMs) armWalltime(draft, workload);
  else put(draft, endNow(workload, "walltime"));
}

/** The time to save its state ends with what is more urgent. */
function endNow(workload: Workload, cause: EndCause): Workload {
  if (workload.stage !== "checkpointing") return beginEnd(workload, cause);
  return { ...withoutCheckpoint(workload), ...(!workload.isSaved && { endCause: cause }) };
}

function endIsolated(draft: Draft): void {
  for (const workload of isolatedOf(draft)) {
    if (draft.at >= isolationEnd(draft, workload)) put(draft, endNow(workload, "isolated"));
  }
  armIsolation(draft);
}

/** Compares every workload with what is wanted of it, and moves it; what should not be here comes first. */
function settle(draft: Draft): void {
  for (const workload of draft.workloads.values()) {
    if (!workload.isNamed) settleWorkload(draft, workload, true);
  }
  const hasStale = [...draft.workloads.values()].some((w) => !w.isNamed && w.stage !== "ended");
  for (const workload of draft.workloads.values()) {
    if (workload.isNamed) settleWorkload(draft, workload, hasStale);
  }
}

function settleWorkload(draft: Draft, workload: Workload, hasStale: boolean): void {
  const { stage, endCause, exit } = workload;
  const isHeldOnly = !workload.work.runsHere;
  if (stage === "prepared" || (stage === "running" && isHeldOnly)) {
    if (endCause !== undefined) put(draft, finish(workload));
    // Nothing starts beside work that should not be here: two runs could meet.
    else if (stage === "prepared" && workload.wants === "run" && !hasStale) begin(draft, workload);
  } else if (stage === "running" || stage === "terminating") {
    if (exit !== undefined) kill(draft, workload);
    else if (stage === "running" && endCause !== undefined) askOrTerminate(draft, workload);
  } else if (stage === "checkpointing") {
    if (exit !== undefined) kill(draft, onLeft(workload));
    else if (workload.isSaved || workload.checkpointMs === undefined) terminate(draft, workload);
  } else if (stage === "killing" && workload.isDead && exit !== undefined) {
    put(draft, finish(workload));
  }
}

function begin(draft: Draft, workload: Workload): void {
  if (!workload.work.runsHere) {
    put(draft, { ...workload, stage: "running" });
    return;
  }
  put(draft, { ...workload, stage: "starting" });
  draft.effects.push({ kind: "start", key: workload.key });
}

function askOrTerminate(draft: Draft, workload: Workload): void {
  const { checkpointMs } = workload;
  if (checkpointMs === undefined) terminate(draft, workload);
  else ask(draft, workload, millis(draft.at + checkpointMs));
}

function terminate(draft: Draft, workload: Workload): void {
  draft.effects.push(noteOf(workload), { kind: "terminate", key: workload.key });
  put(draft, { ...workload, stage: "terminating" });
  const isIsolated = workload.endCause === "isolated";
  const graceMs = isIsolated ? isolatedGrace(draft, workload) : workload.work.spec.gracePeriodMs;
  draft.effects.push(timer("grace", draft.at + graceMs, workload));
}

function kill(draft: Draft, workload: Workload): void {
  put(draft, { ...workload, stage: "killing" });
  draft.effects.push({ kind: "kill", key: workload.key });
}

function finish(workload: Workload): Workload {
  return { ...workload, stage: "ended", exit: { ...workload.exit, cause: endCauseOf(workload) } };
}

/** Sends what is true of each workload whose phase is another one than was last sent. */
function reportChanges(draft: Draft): void {
  sendReports(draft, (workload, report) => workload.report?.phase !== report.phase);
}

function repeatReports(draft: Draft): void {
  sendReports(draft, (workload) => workload.report?.isCommitted === false);
}

function sendReports(draft: Draft, isDue: (workload: Workload, report: WorkloadReport) => boolean): void {
  const due: WorkloadReport[] = [];
  const sequence = draft.sequence + 1;
  for (const workload of draft.workloads.values()) {
    const report = reportOf(workload);
    if (report === undefined || !isDue(workload, report)) continue;
    due.push(report);
    put(draft, { ...workload, report: { phase: report.phase, sequence, isCommitted: false } });
  }
  if (due.length === 0) return;
  draft.sequence = sequence;
  draft.effects.push({ kind: "report", sequence, workloads: due });
  draft.effects.push({ kind: "set-timer", timer: "report", at: millis(draft.at + REPORT_REPEAT_MS) });
}

/** What has ended stays until the servers hold its report and do not name it any more. */
function releaseEnded(draft: Draft): void {
  const over = [...draft.workloads].filter(([, w]) => w.stage === "ended" && !w.isNamed && w.report?.isCommitted);
  if (over.length === 0) return;
  draft.effects.push({ kind: "remember", memory: draft.memory });
  for (const [name, workload] of over) {
    draft.workloads.delete(name);
    draft.effects.push({ kind: "release", key: workload.key });
  }
}

function armWalltime(draft: Draft, workload: Workload): void {
  const { startedAt, walltimeMs } = workload;
  if (startedAt === undefined || walltimeMs === 0) return;
  draft.effects.push(timer("walltime", startedAt + walltimeMs, workload));
}

function armIsolation(draft: Draft): void {
  const ends = isolatedOf(draft)
    .filter((workload) => workload.endCause === undefined || workload.stage === "checkpointing")
    .map((workload) => isolationEnd(draft, workload));
  if (ends.length === 0) return;
  draft.effects.push({ kind: "set-timer", timer: "isolation", at: millis(Math.min(...ends)) });
}

/** Ending begins early enough that it is over when the servers give the work to another node. */
const isolationEnd = (draft: Draft, workload: Workload): number =>
  draft.memory.heardAt + draft.memory.isolationGraceMs - isolatedGrace(draft, workload);

const isolatedGrace = ({ memory }: Draft, { work }: Workload): number =>
  Math.min(work.spec.gracePeriodMs, Math.floor(memory.isolationGraceMs / 2));

/** None while no server has said how long the grace is. */
const isolatedOf = (draft: Draft): readonly Workload[] =>
  draft.memory.isolationGraceMs === 0
    ? []
    : [...draft.workloads.values()].filter((w) => w.work.spec.isolation === "stop" && w.stage !== "ended");
