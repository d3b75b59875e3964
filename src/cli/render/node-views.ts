/** The table of nodes and everything about one of them. */

import { pairs } from "../../base/columns.ts";
import type { NodeStatus } from "../../client/messages.ts";
import { timestampFromProto } from "../../wire/timestamp.ts";
import { type Palette, painterOf } from "./colour.ts";
import { type Column, printable, renderTable } from "./table.ts";
import { bytes, gpus, moment, span } from "./text.ts";

/** Returns the state as people know it; a whole claim of sensitive work shows as Claimed. */
export function nodeState(node: NodeStatus): string {
  if (node.claimedBy !== "") return "Claimed";
  const state = node.state === "" ? "unknown" : node.state;
  return `${state[0]?.toUpperCase() ?? ""}${state.slice(1)}`;
}

/** Returns the columns of the table of nodes. */
export function nodeColumns(palette: Palette): readonly Column<NodeStatus>[] {
  return [
    { title: "ID", value: (n) => n.nodeId, least: 10 },
    {
      title: "STATE",
      value: (n) => `${nodeState(n)}${n.disabled ? " (disabled)" : ""}`,
      paint: (text, n) => painterOf(nodeState(n), palette)(text),
    },
    { title: "CPUS", value: (n) => ofTotal(used(n).cpus, n.cpuCores), isNumber: true },
    { title: "MEMORY", value: (n) => bytes(Number(n.totalMemoryCapacityBytes)), isNumber: true },
    {
      title: "GPUS",
      value: (n) => (n.gpuMilli === 0 ? "-" : ofTotal(used(n).gpus, n.gpuMilli / 1000)),
      isNumber: true,
    },
    { title: "GPU_TYPE", value: (n) => n.gpuType || "-", dropRank: 3 },
    { title: "GROUP", value: (n) => String(n.group), isNumber: true, dropRank: 4 },
    { title: "WORK", value: (n) => String(n.claims.length), isNumber: true },
    { title: "REASON", value: reasonOf, least: 10 },
  ];
}

/** Returns the further columns of `-o wide`. */
export const nodeWideColumns = (): readonly Column<NodeStatus>[] => [
  { title: "OWNER", value: ownerOf },
  { title: "FEATURES", value: (n) => n.features.join(",") },
  { title: "ADDRESS", value: (n) => n.agentAddress },
  { title: "VERSION", value: (n) => n.agentVersion },
  { title: "SINCE", value: (n) => moment(n.stateSince && timestampFromProto(n.stateSince)) },
];

/** Returns the detail view of a node. */
export function nodeDetail(node: NodeStatus, style: { now: number; width: number; palette: Palette }): string {
  const { palette, now, width } = style;
  const { cpus, memory, gpus: gpusUsed } = used(node);
  const heard = node.lastHeartbeat && timestampFromProto(node.lastHeartbeat);
  const rows: readonly (readonly [string, string])[] = [
    ["State", `${nodeState(node)}${node.disabled ? ", disabled until enabled" : ""}`],
    ["Since", moment(node.stateSince && timestampFromProto(node.stateSince))],
    ["Reason", reasonOf(node)],
    ["Heartbeat", heard === undefined ? "never" : `${span(Math.max(0, now - heard))} ago`],
    ["CPUs", `${cpus} of ${node.cpuCores} claimed`],
    ["Memory", `${bytes(memory)} of ${bytes(Number(node.totalMemoryCapacityBytes))} claimed`],
    ["GPUs", node.gpuMilli === 0 ? "none" : `${gpusUsed} of ${gpus(node.gpuMilli)} ${node.gpuType} claimed`],
    ["Features", node.features.join(", ")],
    ["Group", String(node.group)],
    ["Make", node.conformanceFingerprint],
    ["Memory kinds", memoryKinds(node)],
    ["Owner", node.ownerAllocation === "" ? "" : ownerOf(node)],
    ["Issues", node.issues.join("; ")],
    ["Agent", `${node.agentVersion} at ${node.agentAddress || "no address"}`],
    ["Registered", moment(node.registeredAt && timestampFromProto(node.registeredAt))],
  ];
  const shown = rows.filter(([, text]) => text !== "").map(([name, text]) => [name, printable(text)] as const);
  const lines = [palette.bold(`Node ${node.nodeId}`), ...pairs(shown, width)];
  return `${lines.join("\n")}\n${claimTable(node, width)}`;
}

function claimTable({ claims }: NodeStatus, width: number): string {
  if (claims.length === 0) return "";
  const table = renderTable(
    claims,
    [
      { title: "ALLOCATION", value: (c) => c.allocationId },
      { title: "CPUS", value: (c) => String(c.cpus), isNumber: true },
      { title: "MEMORY", value: (c) => bytes(Number(c.memoryBytes)), isNumber: true },
      { title: "GPUS", value: (c) => gpus(c.gpuMilli), isNumber: true },
      { title: "WHOLE", value: (c) => (c.exclusive ? "yes" : "no") },
    ],
    width,
  );
  return `\n${table}`;
}

const ofTotal = (part: number, total: number): string => `${part}/${total}`;

function used({ claims }: NodeStatus): { cpus: number; memory: number; gpus: number } {
  const sum = (value: (claim: NodeStatus["claims"][number]) => number) =>
    claims.reduce((total, claim) => total + value(claim), 0);
  return {
    cpus: sum((c) => c.cpus),
    memory: sum((c) => Number(c.memoryBytes)),
    gpus: sum((c) => c.gpuMilli) / 1000,
  };
}

/** Only what is out of the ordinary. */
const memoryKinds = ({ memoryDomains }: NodeStatus): string =>
  memoryDomains.some(({ domainType }) => domainType !== "dram")
    ? memoryDomains.map((d) => `${bytes(Number(d.capacityBytes))} ${d.domainType}`).join(", ")
    : "";

const reasonOf = (node: NodeStatus): string => node.stateReason || node.drainReason || node.issues.join("; ");

const ownerOf = (node: NodeStatus): string =>
  [node.ownerTenant, node.ownerAllocation].filter((part) => part !== "").join("/") || "-";
