/** Everything about one allocation or array, for people. */

import { pairs } from "../../base/columns.ts";
import type { AllocationStatus } from "../../client/messages.ts";
import { formatRanges } from "../../core/slurm/array-spec.ts";
import { compressNodeList } from "../../core/slurm/node-list.ts";
import { timestampFromProto } from "../../wire/timestamp.ts";
import {
  arrayText,
  displayId,
  elapsedMs,
  endText,
  hasEnded,
  nodeCount,
  shareText,
  walltime,
} from "./allocation-text.ts";
import { type Palette, painterOf } from "./colour.ts";
import { printable, renderTable } from "./table.ts";
import { moment, span } from "./text.ts";

/** What a detail view is laid out for. */
export interface DetailStyle {
  readonly now: number;
  readonly width: number;
  readonly palette: Palette;
}

type Row = readonly [string, string];

/** Returns the detail view of an allocation. */
export function allocationDetail(status: AllocationStatus, style: DetailStyle): string {
  const rows: Row[] = [...identityRows(status), ...timeRows(status, style), ...workRows(status)];
  const shown = rows.filter(([, value]) => value !== "").map(([name, value]): Row => [name, printable(value)]);
  const noun = status.taskGroup === undefined ? "Allocation" : "Array";
  const title = style.palette.bold(`${noun} ${displayId(status)}`);
  const state = painterOf(status.state, style.palette)(status.state);
  const lines = [`${title}  ${state}`, ...pairs(shown, style.width), ...reasonLines(status, style)];
  return `${lines.join("\n")}\n${partLines(status, style)}`;
}

function identityRows(status: AllocationStatus): readonly Row[] {
  const { spec } = status;
  return [
    ["Name", spec?.name ?? ""],
    ["Id", status.allocationId],
    ["Stopping", status.stopping === "" || hasEnded(status.state) ? "" : `${status.stopping}${by(status)}`],
    ["Result", resultText(status)],
    ["Made room", madeRoomText(status)],
    ["Kept for it", status.heldNodes.length === 0 ? "" : compressNodeList(status.heldNodes)],
    ["Tasks", status.taskGroup === undefined ? "" : tasksText(status.taskGroup)],
    ["User", status.user],
    ["Tenant", spec?.tenant ?? ""],
    ["Project", spec?.project ?? ""],
    ["vCluster", spec?.vcluster ?? ""],
    ["Workflow", status.dagId],
  ];
}

function madeRoomText({ preemptedCount, saved }: AllocationStatus): string {
  if (preemptedCount === 0) return "";
  const times = preemptedCount === 1 ? "once" : `${preemptedCount} times`;
  return saved === undefined ? times : `${times}; its state is saved after ${span(Number(saved.seconds) * 1000)}`;
}

const by = (status: AllocationStatus): string => (status.stoppingBy === "" ? "" : ` by ${status.stoppingBy}`);

function resultText(status: AllocationStatus): string {
  if (status.state === "completed") return status.message;
  if (status.state === "failed" || status.state === "cancelled") return endText(status);
  return status.message;
}

function tasksText(tasks: NonNullable<AllocationStatus["taskGroup"]>): string {
  const limit = tasks.maxConcurrent > 0 ? `, ${tasks.maxConcurrent} at a time` : "";
  return `${formatRanges(tasks.ranges)}${limit}: ${arrayText(tasks)}`;
}

function timeRows(status: AllocationStatus, { now }: DetailStyle): readonly Row[] {
  const at = (stamp: AllocationStatus["createdAt"]) => (stamp === undefined ? "" : moment(timestampFromProto(stamp)));
  const elapsed = elapsedMs(status, now);
  const used = Number(status.saved?.seconds ?? 0n);
  const limit = (Number(status.walltime?.seconds ?? 0n) - used) * 1000;
  const isRunning = status.completedAt === undefined && elapsed !== undefined && limit > 0;
  const left = isRunning ? ` (${span(Math.max(0, limit - elapsed))} left)` : "";
  return [
    ["Submitted", at(status.createdAt)],
    ["Started", at(status.startedAt)],
    ["Ended", at(status.completedAt)],
    ["Not before", at(status.notBefore)],
    ["Elapsed", elapsed === undefined ? "" : span(elapsed)],
    ["Walltime", `${walltime(status)}${left}`],
    ["Attempt", status.attempt > 1 ? String(status.attempt) : ""],
  ];
}

function workRows(status: AllocationStatus): readonly Row[] {
  const { spec } = status;
  const nodes = compressNodeList(status.assignedNodes);
  const resources = spec?.resources;
  const features = [
    ...(resources?.features ?? []),
    ...Object.entries(resources?.featureCounts ?? {}).map(([name, count]) => `${name}*${count}`),
  ];
  return [
    ["Nodes", nodes === "" ? nodeCount(status) : `${nodeCount(status)}: ${nodes}`],
    ["On each", shareText(status)],
    ["Features", features.join("&")],
    ["Priority", String(spec?.lifecycle?.preemptionClass ?? 0)],
    ["Requeue", requeueText(status)],
    ["Sensitive", spec?.sensitive ? "yes" : ""],
    ["Depends on", (spec?.dependsOn ?? []).map((d) => `${d.condition}:${d.refId}`).join(", ")],
    ["Command", commandText(status)],
    ["Directory", spec?.workdir ?? ""],
    ["Output", spec?.stdoutPath ?? ""],
    ["Errors", spec?.stderrPath ?? ""],
    [
      "Tags",
      Object.entries(spec?.tags ?? {})
        .map(([name, value]) => `${name}=${value}`)
        .join(", "),
    ],
  ];
}

function requeueText({ spec, requeueCount }: AllocationStatus): string {
  const count = requeueCount > 0 ? `, requeued ${requeueCount} of ${spec?.maxRequeue ?? 0} times` : "";
  return `${spec?.requeuePolicy ?? ""}${count}`;
}

function commandText({ spec }: AllocationStatus): string {
  if (spec === undefined) return "";
  if (spec.argv.length > 0) return spec.argv.map(quoted).join(" ");
  if (spec.entrypoint !== "") return spec.entrypoint;
  const lines = spec.script.split("\n");
  return spec.script === "" ? "" : `script of ${lines.length} lines, ${lines[0] ?? ""}`;
}

const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

function reasonLines({ reasons }: AllocationStatus, style: DetailStyle): readonly string[] {
  if (reasons.length === 0) return [];
  const rows = reasons.map(
    ({ code, message, change }): Row => [code, printable(change === "" ? message : `${message}; ${change}`)],
  );
  return ["", style.palette.bold("It waits because"), ...pairs(rows, style.width)];
}

/** Parts are told apart only when there are several, or when one has something to say. */
function partLines({ parts }: AllocationStatus, style: DetailStyle): string {
  if (parts.length < 2 && parts.every(({ detail }) => detail === "")) return "";
  const table = renderTable(
    parts,
    [
      { title: "NODE", value: (p) => p.nodeId, least: 8 },
      { title: "PHASE", value: (p) => p.phase },
      { title: "CPUS", value: (p) => String(p.cpus), isNumber: true },
      { title: "GPUS", value: (p) => String(p.gpuMilli / 1000), isNumber: true },
      { title: "EXIT", value: (p) => exitText(p), isNumber: true },
      { title: "CAUSE", value: (p) => p.cause },
      { title: "DETAIL", value: (p) => p.detail, least: 8 },
    ],
    style.width,
  );
  return `\n${table}`;
}

function exitText({ exitCode, signal, phase }: AllocationStatus["parts"][number]): string {
  if (phase !== "ended") return "";
  if (signal > 0) return `signal ${signal}`;
  return exitCode >= 0 ? String(exitCode) : "";
}
