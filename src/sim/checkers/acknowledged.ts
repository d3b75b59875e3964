/**
 * No acknowledged command is lost and none is done twice: in the end, on every server, each
 * submission that was acknowledged is there once, one that was never answered at most once,
 * and what was cancelled and never ran is cancelled.
 */
import { compareText } from "../../base/compare.ts";
import type { Allocation } from "../../core/domain/allocation.ts";
import type { Row } from "../../core/state/table.ts";
import type { Submission } from "../clients/work-register.ts";
import type { Findings } from "./findings.ts";

/** Looks at the rows of one server's disk, archived ones included. */
export function checkAcknowledged(
  findings: Findings,
  submissions: readonly Submission[],
  at: { readonly server: string; readonly rows: Iterable<Row> },
): void {
  const byName = new Map<string, Allocation[]>();
  for (const { table, text } of at.rows) {
    if (table !== "allocations" || text === undefined) continue;
    const allocation: Allocation = JSON.parse(text);
    const { name } = allocation.spec;
    byName.set(name, [...(byName.get(name) ?? []), allocation]);
  }
  for (const submission of submissions) {
    const found = byName.get(submission.name) ?? [];
    const problem = problemOf(submission, found);
    if (problem !== undefined) findings.add(problem, `${submission.name} on ${at.server}: ${describe(found)}`);
  }
}

function problemOf(submission: Submission, found: readonly Allocation[]): string | undefined {
  if (found.length > 1) return "exactly once";
  if (submission.isAcknowledged && found.length === 0) return "no acknowledged command lost";
  const [only] = found;
  const mustBeCancelled = submission.isParked && submission.isCancelled;
  return mustBeCancelled && only?.state !== "cancelled" ? "no acknowledged command lost" : undefined;
}

const describe = (found: readonly Allocation[]): string =>
  found.length === 0
    ? "not there"
    : found
        .map(({ id, state }) => `${id} ${state}`)
        .toSorted(compareText)
        .join(", ");
