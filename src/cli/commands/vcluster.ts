/** `lattice admin vcluster create|update|list|get`: the policies under which work is placed. */

import { pairs } from "../../base/columns.ts";
import { nearest } from "../../base/nearest.ts";
import type { VClusterResponse } from "../../client/messages.ts";
import { DEFAULT_WEIGHTS, LEND_PART, SCHEDULER_TYPES } from "../../core/domain/tenant.ts";
import { WEIGHT_PROFILE_NAMES, WEIGHT_PROFILES } from "../../core/scheduler/score/weight-profiles.ts";
import { expandNodeList } from "../../core/slurm/node-list.ts";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../grammar/command.ts";
import type { Flag } from "../grammar/flag.ts";
import type { Given } from "../grammar/given.ts";
import { wholeNumber } from "../grammar/parse.ts";
import { UsageError } from "../grammar/usage-error.ts";
import { pageThrough } from "../page-through.ts";
import { printList, printOne } from "../render/print.ts";
import type { Column } from "../render/table.ts";

const YES_NO = ["yes", "no"] as const;
type Weights = { -readonly [K in keyof typeof DEFAULT_WEIGHTS]: number };
const WEIGHT_NAMES = Object.keys(DEFAULT_WEIGHTS).map((name) => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`));

const FLAGS: Readonly<Record<string, Flag>> = {
  scheduler: { type: "string", valueHint: "TYPE", choices: SCHEDULER_TYPES, description: "How work is placed" },
  weight: {
    type: "string",
    valueHint: "FACTOR=W",
    isRepeated: true,
    description: `Weight of a scoring factor: ${WEIGHT_NAMES.join(", ")}`,
  },
  "weight-profile": {
    type: "string",
    valueHint: "PROFILE",
    choices: WEIGHT_PROFILE_NAMES,
    description: "Weights for a kind of work, which --weight then changes; default follows scheduling.weight_profile",
  },
  "dedicated-nodes": {
    type: "string",
    valueHint: "NODES",
    description: "Nodes that only this vCluster uses, as n[1-4]; none takes them back",
  },
  "share-nodes": { type: "string", valueHint: "yes|no", choices: YES_NO, description: "Let allocations share a node" },
  "lend-fraction": {
    type: "string",
    valueHint: "PART",
    description: "Of its dedicated nodes, what others may hold, from 0 to 1; 0.2 unless set",
  },
  "borrow-max": {
    type: "string",
    valueHint: "N",
    check: wholeNumber(),
    description: "Nodes of others that it may hold; unlimited unless set",
  },
  "power-cap": {
    type: "string",
    valueHint: "WATTS",
    check: wholeNumber(),
    description: "What its work may draw together; 0 takes it away",
  },
  "storage-cap": {
    type: "string",
    valueHint: "MB/S",
    check: wholeNumber(),
    description: "The same of storage bandwidth",
  },
  "gpu-fractions": {
    type: "string",
    valueHint: "yes|no",
    choices: YES_NO,
    description: "Whether a share may be of a part of a GPU; yes unless set",
  },
  borrow: { type: "string", valueHint: "yes|no", choices: YES_NO, description: "May use idle nodes of others" },
  lend: { type: "string", valueHint: "yes|no", choices: YES_NO, description: "Lets others use its idle nodes" },
};

/** `lattice admin vcluster create`. */
export const vclusterCreate: Command = {
  kind: "command",
  name: "admin vcluster create",
  summary: "Create a vCluster of a tenant",
  positionals: [{ name: "name", description: "Name of the vCluster, unless --name gives it" }],
  flags: { name: { type: "string", valueHint: "NAME", description: "Name of the vCluster" }, ...FLAGS },
  examples: [["lattice admin vcluster create gpu --tenant physics --share-nodes yes", "its id is physics/gpu"]],
  run: async (given, context) => {
    const name = given.text("name") ?? given.first();
    const tenantId = context.settings.tenant ?? context.settings.tenantDefault;
    if (name === undefined) throw new UsageError("the name is missing", "write --name NAME");
    if (tenantId === undefined) throw new UsageError("the tenant is missing", "write --tenant NAME");
    const request = {
      tenantId,
      name,
      schedulerType: given.text("scheduler") ?? "hpc_backfill",
      ...(hasWeights(given) ? { costWeights: weightsOf(given, DEFAULT_WEIGHTS) } : {}),
      dedicatedNodes: [...(nodesOf(given) ?? [])],
      allowBorrowing: isYes(given, "borrow") ?? true,
      allowLending: isYes(given, "lend") ?? true,
      nodeSharing: isYes(given, "share-nodes") ?? false,
      ...limitsOf(given),
    };
    const made = await context.client().admin.createVCluster(request, { signal: context.signal });
    await printOne(context, made, { id: made.vclusterId, text: () => `Created vCluster: ${made.vclusterId}\n` });
    return EXIT.ok;
  },
};

/** `lattice admin vcluster update`. */
export const vclusterUpdate: Command = {
  kind: "command",
  name: "admin vcluster update",
  summary: "Change a vCluster",
  positionals: [{ name: "vcluster", description: "The vCluster, as TENANT/NAME", isRequired: true }],
  flags: FLAGS,
  examples: [["lattice admin vcluster update physics/gpu --weight fair_share=0.4", "the other weights stay"]],
  run: async (given, context) => {
    const vclusterId = given.first() ?? "";
    if (Object.keys(FLAGS).every((name) => given.all(name).length === 0)) {
      const names = Object.keys(FLAGS).map((name) => `--${name}`);
      throw new UsageError("nothing to change is given", `give one of: ${names.join(", ")}`);
    }
    const before = await context.client().admin.getVCluster({ vclusterId }, { signal: context.signal });
    const [borrow, lend, share] = ["borrow", "lend", "share-nodes"].map((name) => isYes(given, name));
    const nodes = nodesOf(given);
    const schedulerType = given.text("scheduler");
    const request = {
      vclusterId,
      ...(hasWeights(given) ? { costWeights: weightsOf(given, before.costWeights ?? DEFAULT_WEIGHTS) } : {}),
      ...(borrow === undefined ? {} : { allowBorrowing: borrow }),
      ...(lend === undefined ? {} : { allowLending: lend }),
      ...(share === undefined ? {} : { nodeSharing: share }),
      ...(nodes === undefined ? {} : { dedicatedNodes: { nodeIds: [...nodes] } }),
      ...(schedulerType === undefined ? {} : { schedulerType }),
      ...limitsOf(given),
    };
    const updated = await context.client().admin.updateVCluster(request, { signal: context.signal });
    await printOne(context, updated, {
      id: updated.vclusterId,
      text: () => `Updated vCluster: ${updated.vclusterId}\n`,
    });
    return EXIT.ok;
  },
};

/** `lattice admin vcluster list`. */
export const vclusterList: Command = {
  kind: "command",
  name: "admin vcluster list",
  summary: "List vClusters",
  run: async (_given, context) => {
    const tenantId = context.settings.tenant ?? "";
    const { items } = await pageThrough(async (limit, cursor) => {
      const page = await context.client().admin.listVClusters({ tenantId, limit, cursor }, { signal: context.signal });
      return { items: page.vclusters, nextCursor: page.nextCursor };
    });
    await printList(context, { rows: items, idOf: (v) => v.vclusterId, columns: COLUMNS, empty: "no vClusters" });
    return EXIT.ok;
  },
};

/** `lattice admin vcluster get`. */
export const vclusterGet: Command = {
  kind: "command",
  name: "admin vcluster get",
  summary: "Show a vCluster with its weights and its queue",
  positionals: [{ name: "vcluster", description: "The vCluster, as TENANT/NAME", isRequired: true }],
  run: async (given, context) => {
    const vclusterId = given.first() ?? "";
    const { admin } = context.client();
    const found = await admin.getVCluster({ vclusterId }, { signal: context.signal });
    const queue = await admin.getVClusterQueue({ vclusterId }, { signal: context.signal });
    const rows = [
      ...COLUMNS.slice(1).map(({ title, value }) => [title.toLowerCase().replaceAll("_", " "), value(found)] as const),
      ["queue", `${queue.pending} pending, ${queue.running} running`] as const,
      ["weights", weightsText(found)] as const,
      ["lends", lendsText(found)] as const,
      ["nodes", found.dedicatedNodes.join(", ") || "none of its own"] as const,
    ];
    const text = () => `vCluster ${found.vclusterId}\n${pairs(rows, 80).join("\n")}\n`;
    await printOne(context, found, { id: found.vclusterId, text });
    return EXIT.ok;
  },
};

const COLUMNS: readonly Column<VClusterResponse>[] = [
  { title: "ID", value: (v) => v.vclusterId, least: 12 },
  { title: "TENANT", value: (v) => v.tenantId, least: 8 },
  { title: "SCHEDULER", value: (v) => v.schedulerType },
  { title: "SHARES_NODES", value: (v) => (v.nodeSharing ? "yes" : "no") },
  { title: "BORROWS", value: (v) => (v.allowBorrowing ? "yes" : "no"), dropRank: 1 },
  { title: "LENDS", value: (v) => (v.allowLending ? "yes" : "no"), dropRank: 1 },
  { title: "DEDICATED", value: (v) => String(v.dedicatedNodes.length), isNumber: true },
];

function isYes(given: Given, name: string): boolean | undefined {
  const text = given.text(name);
  return text === undefined ? undefined : text === "yes";
}

function limitsOf(given: Given) {
  const part = given.text("lend-fraction");
  const gpuFractions = isYes(given, "gpu-fractions");
  if (part !== undefined && !/^(0(\.\d+)?|1(\.0+)?)$/.test(part)) {
    throw new UsageError(`--lend-fraction: "${part}" is not a number from 0 to 1`);
  }
  const borrowMaxNodes = given.number("borrow-max");
  const powerCapWatts = given.number("power-cap");
  const storageBandwidthCapMbps = given.number("storage-cap");
  return {
    ...(part === undefined ? {} : { lendFraction: Number(part) }),
    ...(borrowMaxNodes === undefined ? {} : { borrowMaxNodes }),
    ...(powerCapWatts === undefined ? {} : { powerCapWatts }),
    ...(storageBandwidthCapMbps === undefined ? {} : { storageBandwidthCapMbps }),
    ...(gpuFractions === undefined ? {} : { gpuFractions }),
  };
}

function nodesOf(given: Given): readonly string[] | undefined {
  const text = given.text("dedicated-nodes");
  if (text === undefined) return undefined;
  if (text === "none") return [];
  const names = expandNodeList(text);
  if (!names.ok) throw new UsageError(`--dedicated-nodes: ${names.error.message}`);
  return names.value;
}

const hasWeights = (given: Given): boolean => ["weight", "weight-profile"].some((name) => given.all(name).length > 0);

function weightsOf(given: Given, base: Readonly<Weights>): Weights {
  const profile = WEIGHT_PROFILE_NAMES.find((name) => name === given.text("weight-profile"));
  const weights: Weights = { ...plainWeights(profile === undefined ? base : WEIGHT_PROFILES[profile]) };
  for (const item of given.all("weight")) {
    const [name = "", value = ""] = item.split("=");
    const key = weightKey(name);
    if (key === undefined) {
      const close = nearest(name, WEIGHT_NAMES);
      throw new UsageError(`--weight: no factor "${name}"`, close === undefined ? undefined : `did you mean ${close}?`);
    }
    if (!/^\d+(\.\d+)?$/.test(value)) throw new UsageError(`--weight: "${value}" is not a number from 0 up`);
    weights[key] = Number(value);
  }
  return weights;
}

function weightKey(name: string): keyof Weights | undefined {
  const camel = name.replace(/[_-]([a-z])/g, (_, c: string) => c.toUpperCase());
  return weightKeys().find((key) => key === camel);
}

const weightKeys = (): readonly (keyof Weights)[] => [
  "priority",
  "waitTime",
  "fairShare",
  "topology",
  "dataReadiness",
  "backlog",
  "energy",
  "checkpointEfficiency",
  "conformance",
];

function plainWeights(base: Readonly<Weights>): Weights {
  const { priority, waitTime, fairShare, topology, dataReadiness } = base;
  const { backlog, energy, checkpointEfficiency, conformance } = base;
  return { priority, waitTime, fairShare, topology, dataReadiness, backlog, energy, checkpointEfficiency, conformance };
}

function lendsText({
  allowLending,
  dedicatedNodes,
  lendFraction = LEND_PART,
  borrowMaxNodes,
}: VClusterResponse): string {
  const lends = allowLending ? Math.floor(dedicatedNodes.length * lendFraction) : 0;
  return `${lends} of its nodes${borrowMaxNodes === undefined ? "" : `, borrows ${borrowMaxNodes} at most`}`;
}

function weightsText({ costWeights }: VClusterResponse): string {
  if (costWeights === undefined) return "the servers' own";
  return weightKeys()
    .map((key, i) => `${WEIGHT_NAMES[i]} ${costWeights[key]}`)
    .join(", ");
}
