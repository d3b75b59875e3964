/** Reading allocations: one by its id, many by filter, and why one waits. */
import type { Allocation } from "../../../core/domain/allocation.ts";
import { displayId } from "../../../core/domain/allocation.ts";
import { taskGroupId } from "../../../core/domain/ids.ts";
import { isTerminal } from "../../../core/domain/lifecycle.ts";
import type { TaskGroup } from "../../../core/domain/task-group.ts";
import { groupOutcome } from "../../../core/state/dependencies.ts";
import type { HistoryQuery } from "../../../ports/state-mirror.ts";
import type { Call } from "../call.ts";
import type { Server } from "../server.ts";
import { demand, may, resourceOf } from "./access.ts";
import { allocationDetail, detailOf, groupDetail, makingRoom, waitingReasons } from "./details.ts";
import { find, findOne } from "./lookup.ts";
import { numberCursor, pageSize } from "./paging.ts";
import type { AllocationDetail, AllocationFilter, Explanation, Page, PageRequest } from "./results.ts";

/** Returns the allocation or array that the id names. */
export async function getAllocation(server: Server, call: Call, ref: string): Promise<AllocationDetail> {
  const found = find(server, ref);
  demand(call, "allocation.read", resourceOf(found.record));
  return detailOf(server, found);
}

/** Returns why an allocation waits, worked out for this call. */
export async function explainAllocation(server: Server, call: Call, ref: string): Promise<Explanation> {
  const a = findOne(server, ref);
  demand(call, "allocation.read", resourceOf(a));
  const common = { id: a.id, shortId: a.shortId, state: a.state };
  if (a.state !== "pending") return { ...common, reasons: [], position: 0 };
  if (a.waitsFor.length > 0) return { ...common, reasons: waitingReasons(server, a), position: 0 };
  if (a.hold) return { ...common, reasons: [makingRoom(server, a.hold)], position: 1 };
  return { ...common, ...((await server.reasons.explain(a.id)) ?? { reasons: [], position: 0 }) };
}

/** Returns allocations and arrays from the newest to the oldest, also those that have left memory. */
export async function listAllocations(
  server: Server,
  call: Call,
  { filter, page }: { readonly filter: AllocationFilter; readonly page: PageRequest },
): Promise<Page<AllocationDetail>> {
  demand(call, "allocation.read");
  const size = pageSize(page);
  const before = numberCursor(page) ?? Number.MAX_SAFE_INTEGER;
  const resolved = { ...filter, ...(filter.group && { group: groupIdOf(server, filter.group) }) };
  const wanted = (record: Allocation | TaskGroup) =>
    record.shortId < before && matches(record, resolved) && may(call, "allocation.read", resourceOf(record));
  const live = liveRecords(server, wanted);
  const archived = archivedRecords(server, { filter: resolved, before, limit: size + 1 }).filter(wanted);
  const records = [...live, ...archived].sort((a, b) => b.shortId - a.shortId);
  const shown = records.slice(0, size);
  const items = shown.map((record) =>
    "ranges" in record ? groupDetail(server, record) : allocationDetail(server, record),
  );
  const last = shown.at(-1);
  return last && records.length > size ? { items, nextCursor: String(last.shortId) } : { items };
}

function liveRecords(
  server: Server,
  wanted: (record: Allocation | TaskGroup) => boolean,
): readonly (Allocation | TaskGroup)[] {
  const { tables } = server.replica.state;
  const records: (Allocation | TaskGroup)[] = [];
  for (const table of [tables.allocations, tables.taskGroups]) {
    for (const record of table.values()) if (wanted(record)) records.push(record);
  }
  return records;
}

function archivedRecords(
  server: Server,
  options: { readonly filter: AllocationFilter; readonly before: number; readonly limit: number },
): readonly Allocation[] {
  const { filter, before, limit } = options;
  const isOpenOnly = filter.states && filter.states.length > 0 && !filter.states.some(isTerminal);
  if (isOpenOnly) return [];
  const query: HistoryQuery = { ...filter, beforeShortId: before, limit };
  return server.replica.mirror.archivedAllocations(query).map((text): Allocation => JSON.parse(text));
}

function groupIdOf(server: Server, ref: string): string {
  const found = find(server, ref);
  return found.kind === "task-group"
    ? found.record.id
    : (found.record.task?.group ?? taskGroupId(displayId(found.record)));
}

function matches(record: Allocation | TaskGroup, filter: AllocationFilter): boolean {
  const isGroup = "ranges" in record;
  const state = isGroup ? groupOutcome(record) : record.state;
  const { spec } = record;
  return (
    (!filter.tenant || spec.tenant === filter.tenant) &&
    (!filter.user || record.user === filter.user) &&
    (!filter.vcluster || spec.vcluster === filter.vcluster) &&
    (!filter.name || spec.name === filter.name) &&
    (!filter.states || filter.states.length === 0 || filter.states.includes(state)) &&
    (!filter.dag || (!isGroup && record.dag === filter.dag)) &&
    (!filter.group || (!isGroup && record.task?.group === filter.group))
  );
}
