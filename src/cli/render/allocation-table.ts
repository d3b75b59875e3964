/** The table of allocations, which fits 80 columns. */
import type { AllocationStatus } from "../../client/messages.ts";
import { timestampFromProto } from "../../wire/timestamp.ts";
import { displayId, elapsedMs, nodeCount, reasonText, walltime } from "./allocation-text.ts";
import { type Palette, painterOf } from "./colour.ts";
import type { Column } from "./table.ts";
import { moment, span } from "./text.ts";

/** Returns the columns of the table; the last takes what room is left. */
export function allocationColumns(now: number, palette: Palette): readonly Column<AllocationStatus>[] {
  return [
    { title: "ID", value: displayId },
    { title: "NAME", value: (a) => a.spec?.name ?? "", least: 8 },
    { title: "USER", value: (a) => a.user, least: 6, dropRank: 2 },
    { title: "STATE", value: (a) => a.state, paint: (text, a) => painterOf(a.state, palette)(text) },
    { title: "NODES", value: nodeCount, isNumber: true },
    { title: "WALLTIME", value: walltime, isNumber: true, dropRank: 3 },
    { title: "ELAPSED", value: (a) => elapsedText(a, now), isNumber: true },
    { title: "VCLUSTER", value: (a) => a.spec?.vcluster ?? "", least: 8, dropRank: 4 },
    { title: "REASON", value: reasonText, least: 12 },
  ];
}

/** Returns the further columns of `-o wide`. */
export const allocationWideColumns = (): readonly Column<AllocationStatus>[] => [
  { title: "TENANT", value: (a) => a.spec?.tenant ?? "" },
  { title: "PROJECT", value: (a) => a.spec?.project ?? "" },
  { title: "GPU_TYPE", value: (a) => a.spec?.resources?.gpuType ?? "" },
  { title: "PRIORITY", value: (a) => String(a.spec?.lifecycle?.preemptionClass ?? 0), isNumber: true },
  { title: "SUBMITTED", value: (a) => moment(a.createdAt && timestampFromProto(a.createdAt)) },
  { title: "UUID", value: (a) => a.allocationId },
];

function elapsedText(status: AllocationStatus, now: number): string {
  const elapsed = elapsedMs(status, now);
  return elapsed === undefined ? "-" : span(elapsed);
}
