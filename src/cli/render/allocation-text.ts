/** How an allocation is called and told about in a few words, for every view of it. */

import type { AllocationStatus } from "../../client/messages.ts";
import { compressNodeList } from "../../core/slurm/node-list.ts";
import { timestampFromProto } from "../../wire/timestamp.ts";
import { counted, span } from "./text.ts";

const ENDED = ["completed", "failed", "cancelled"];

/** Returns whether an allocation in this state has ended for good. */
export const hasEnded = (state: string): boolean => ENDED.includes(state);

/** Returns what people type for an allocation: its number, or array number and index. */
export function displayId(status: AllocationStatus): string {
  if (status.taskIndex !== undefined) return `${status.taskGroupShortId}_${status.taskIndex}`;
  return status.shortId > 0n ? String(status.shortId) : status.allocationId;
}

/** Returns how long it has run, or ran; undefined before it starts. */
export function elapsedMs(status: AllocationStatus, now: number): number | undefined {
  if (status.startedAt === undefined) return undefined;
  const end = status.completedAt === undefined ? now : timestampFromProto(status.completedAt);
  return Math.max(0, end - timestampFromProto(status.startedAt));
}

/** Returns the time limit as squeue has it. */
export function walltime(status: AllocationStatus): string {
  const seconds = Number(status.walltime?.seconds ?? 0n);
  return seconds === 0 ? "UNLIMITED" : span(seconds * 1000);
}

/** Returns how many nodes it has, or asks for. */
export function nodeCount(status: AllocationStatus): string {
  if (status.assignedNodes.length > 0) return String(status.assignedNodes.length);
  const { minNodes = 1, maxNodes = 0 } = status.spec?.resources ?? {};
  return maxNodes > minNodes ? `${minNodes}-${maxNodes}` : String(minNodes);
}

/** Returns where it runs, why it waits, or how it ended, in a few words. */
export function reasonText(status: AllocationStatus): string {
  if (status.taskGroup !== undefined) return arrayText(status.taskGroup);
  if (status.stopping !== "" && !hasEnded(status.state)) return `stopping: ${status.stopping}`;
  if (status.state === "pending") return status.reasons.map(({ code }) => code).join(",");
  if (status.state === "completed") return "";
  if (hasEnded(status.state)) return endText(status);
  return compressNodeList(status.assignedNodes);
}

/** Returns how a failed or cancelled allocation ended. */
export function endText(status: AllocationStatus): string {
  if (status.message !== "") return status.message;
  if (status.signal > 0) return `signal ${status.signal}`;
  return status.exitCode > 0 ? `exit code ${status.exitCode}` : "";
}

/** Returns how far an array has come. */
export function arrayText(tasks: NonNullable<AllocationStatus["taskGroup"]>): string {
  const { total, running, completed, failed, cancelled } = tasks;
  const done = `${completed + failed + cancelled}/${total} ended`;
  const parts = [done];
  if (running > 0) parts.push(`${running} running`);
  if (failed > 0) parts.push(`${failed} failed`);
  return parts.join(", ");
}

/** Returns what it holds or asks for on each node. */
export function shareText(status: AllocationStatus): string {
  const resources = status.spec?.resources;
  if (resources === undefined) return "";
  const { cpusPerNode, memoryBytesPerNode, gpuMilliPerNode, gpuType, exclusive } = resources;
  const parts: string[] = [];
  if (cpusPerNode > 0) parts.push(counted(cpusPerNode, "CPU"));
  if (memoryBytesPerNode > 0n) parts.push(`${Number(memoryBytesPerNode) / 1024 ** 3} GiB`);
  if (gpuMilliPerNode > 0)
    parts.push(`${counted(gpuMilliPerNode / 1000, "GPU")}${gpuType === "" ? "" : ` ${gpuType}`}`);
  return exclusive || parts.length === 0 ? ["whole node", ...parts].join(", ") : parts.join(", ");
}
