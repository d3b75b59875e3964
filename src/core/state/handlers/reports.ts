/**
 * What agents report. Reports may repeat, arrive late or speak of another attempt: a part
 * only moves forward, and whatever else they say changes nothing.
 */
import { ok } from "../../../base/result.ts";
import type { Allocation, Part } from "../../domain/allocation.ts";
import { PART_PHASES } from "../../domain/allocation.ts";
import type { WorkloadReport } from "../../domain/assignment.ts";
import type { AllocationId, NodeId } from "../../domain/ids.ts";
import { holdsNodes } from "../../domain/lifecycle.ts";
import type { Applying } from "../applying.ts";
import { changeAllocation } from "../applying.ts";
import type { CommandBody, Outcome } from "../commands.ts";
import { changeParts, stopAllocation } from "../ending.ts";

/** Takes in what one node reports. */
export function recordReports(ctx: Applying, command: Extract<CommandBody, { kind: "record-reports" }>): Outcome {
  for (const report of command.reports) takeReports(ctx, report.allocation, new Map([[command.node, report]]));
  return ok({ kind: "done" });
}

/** Takes in what several nodes report; of one node and allocation the last counts. */
export function recordNodeReports(
  ctx: Applying,
  command: Extract<CommandBody, { kind: "record-node-reports" }>,
): Outcome {
  const all = new Map<AllocationId, Map<NodeId, WorkloadReport>>();
  for (const { node, report } of command.reports) {
    const known = all.get(report.allocation);
    if (known) known.set(node, report);
    else all.set(report.allocation, new Map([[node, report]]));
  }
  for (const [id, reports] of all) takeReports(ctx, id, reports);
  return ok({ kind: "done" });
}

function takeReports(ctx: Applying, id: AllocationId, reports: ReadonlyMap<NodeId, WorkloadReport>): void {
  const found = ctx.state.tables.allocations.get(id);
  if (!found || !holdsNodes(found.state)) return;
  const news: WorkloadReport[] = [];
  const parts = found.parts.map((part) => {
    const report = reports.get(part.claim.nodeId);
    if (!report || report.attempt !== found.attempt || !isLater(report, part)) return part;
    news.push(report);
    return advance(part, report);
  });
  if (news.length === 0) return;
  const a = news.some(({ cause }) => cause === "walltime") ? stopAllocation(ctx, found, "walltime") : found;
  if (news.some(({ phase }) => phase === "ended")) changeParts(ctx, a, parts);
  else markProgress(ctx, a, parts);
}

const isLater = (report: WorkloadReport, part: Part): boolean =>
  PART_PHASES.indexOf(report.phase) > PART_PHASES.indexOf(part.phase);

function advance(part: Part, report: WorkloadReport): Part {
  const { phase, exitCode, signal, cause, detail } = report;
  return {
    claim: part.claim,
    phase,
    ...(part.isLeaving && { isLeaving: true }),
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
