/** `lattice admin trace export`: what has run on the cluster, for rm-replay. */
import { resolve } from "node:path";
import type { AllocationStatus, NodeStatus } from "../../client/messages.ts";
import type { HistoryEntry } from "../../replay/lattice-trace.ts";
import { historyText } from "../../replay/lattice-trace.ts";
import type { MachineNode } from "../../replay/machine.ts";
import { durationFromProto } from "../../wire/duration.ts";
import { timestampFromProto } from "../../wire/timestamp.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../grammar/command.ts";
import { pageThrough } from "../page-through.ts";

/** `lattice admin trace export`. */
export const traceExport: Command = {
  kind: "command",
  name: "admin trace export",
  summary: "Write what has run, and on which nodes there are, for rm-replay",
  details: [
    "Every allocation that started and ended is in it, with what it asked for and its times, and no script or variable of it. A task of an array is an allocation.",
  ],
  flags: {
    file: {
      type: "string",
      valueHint: "FILE",
      completes: "file",
      description: "Where to write it; standard output unless set",
    },
  },
  examples: [
    ["lattice admin trace export --file march.lattice", "then: rm-replay -i march.lattice -o report"],
    ["lattice admin trace export | gzip > march.lattice.gz", "rm-replay unpacks it"],
  ],
  run: async (given, context) => {
    const nodes = await allNodes(context);
    const allocations = await allAllocations(context);
    const entries = allocations.flatMap((status) => entryOf(status) ?? []);
    const text = historyText(nodes.map(nodeOf), entries);
    const file = given.text("file");
    if (file === undefined) context.terminal.out(text);
    else {
      await Bun.write(resolve(context.directory, file), text);
      context.terminal.err(`${entries.length} allocations on ${nodes.length} nodes are in ${file}\n`);
    }
    return EXIT.ok;
  },
};

async function allNodes(context: Context): Promise<readonly NodeStatus[]> {
  const { items } = await pageThrough(async (limit, cursor) => {
    const page = await context.client().nodes.listNodes({ limit, cursor }, { signal: context.signal });
    return { items: page.nodes, nextCursor: page.nextCursor };
  });
  return items;
}

async function allAllocations(context: Context): Promise<readonly AllocationStatus[]> {
  const { items } = await pageThrough(async (limit, cursor) => {
    const { allocations, nextCursor } = await context
      .client()
      .allocations.list({ tenant: context.settings.tenant ?? "", limit, cursor }, { signal: context.signal });
    return { items: allocations, nextCursor };
  });
  return items;
}

/** Returns nothing of what never ran or has not ended. */
function entryOf(status: AllocationStatus): HistoryEntry | undefined {
  const { createdAt, startedAt, completedAt, spec, parts } = status;
  if (!createdAt || !startedAt || !completedAt || !spec || status.assignedNodes.length === 0) return undefined;
  const [part] = parts;
  const share = part && !part.exclusive ? part : undefined;
  return {
    id: String(status.shortId),
    state: status.state,
    submit_ms: timestampFromProto(createdAt),
    start_ms: timestampFromProto(startedAt),
    end_ms: timestampFromProto(completedAt),
    walltime_ms: durationFromProto(status.walltime),
    nodes: status.assignedNodes.length,
    ...(share && {
      share: { cpus: share.cpus, memory_bytes: Number(share.memoryBytes), gpu_milli: share.gpuMilli },
    }),
    gpu_type: spec.resources?.gpuType ?? "",
    user: status.user,
    tenant: spec.tenant,
    vcluster: spec.vcluster,
    priority: spec.lifecycle?.preemptionClass ?? 0,
  };
}

const nodeOf = (node: NodeStatus): MachineNode => ({
  name: node.nodeId,
  capacity: {
    cpus: node.cpuCores,
    memoryBytes: Number(node.totalMemoryCapacityBytes),
    gpuMilli: node.gpuMilli,
    gpuType: node.gpuType,
    features: [...node.features],
    group: node.group,
  },
});
