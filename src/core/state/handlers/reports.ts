/**
 * What agents report. Reports may repeat, arrive late or speak of another attempt: a part
 * only moves forward, and whatever else they say changes nothing.
 */
import { ok } from "../../../base/result.ts";
import type { Allocation, Part } from "../../domain/allocation.ts";
import { PART_PHASES } from "../../domain/allocation.ts";
import type { WorkloadReport } from "../../domain/assignment.ts";
import type { NodeId } from "../../domain/ids.ts";
import { holdsNodes } from "../../domain/lifecycle.ts";
import type { Applying } from "../applying.ts";
import { changeAllocation } from "../applying.ts";
import type { CommandBody, Outcome } from "../commands.ts";
import { changeParts, stopAllocation } from "../ending.ts";

/** Takes in what one node reports. */
export function recordReports(ctx: Applying, command: Extract<CommandBody, { kind: "record-reports" }>): Outcome {
  for (const report of command.reports) takeReport(ctx, command.node, report);
  return ok({ kind: "done" });
}

function takeReport(ctx: Applying, node: NodeId, report: WorkloadReport): void {
  const found = ctx.state.tables.allocations.get(report.allocation);
  if (!found || found.attempt !== report.attempt || !holdsNodes(found.state)) return;
  const part = found.parts.find((p) => p.claim.nodeId === node);
  if (!part || PART_PHASES.indexOf(report.phase) <= PART_PHASES.indexOf(part.phase)) return;
  const a = report.cause === "walltime" ? stopAllocation(ctx, found, "walltime") : found;
  const parts = a.parts.map((p) => (p === part ? advance(p, report) : p));
  if (report.phase === "ended") changeParts(ctx, a, parts);
  else markProgress(ctx, a, parts);
}

function advance(part: Part, report: WorkloadReport): Part {
  const { phase, exitCode, signal, cause, detail } = report;
  return {
    claim: part.claim,
    phase,
    ...(phase === "ended" && { cause: cause ?? "exited" }),
    ...(exitCode !== undefined && { exitCode }),
    ...(signal !== undefined && { signal }),
    ...(detail !== undefined && { detail }),
  };
}

/** The allocation runs once every part does. */
function markProgress(ctx: Applying, a: Allocation, parts: readonly Part[]): void {
  const isRunning = parts.every((p) => p.phase === "running" || p.phase === "ended");
  if (isRunning && a.state === "staging") changeAllocation(ctx, a, { parts, state: "running", startedAt: ctx.at });
  else changeAllocation(ctx, a, { parts });
}
