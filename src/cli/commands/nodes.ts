/** `lattice nodes`: the nodes of the cluster, or everything about one. */
import { NODE_STATES } from "../../core/domain/lifecycle.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../grammar/command.ts";
import { wholeNumber } from "../grammar/parse.ts";
import { pageThrough } from "../page-through.ts";
import { paletteOf } from "../render/colour.ts";
import { nodeColumns, nodeDetail, nodeWideColumns } from "../render/node-views.ts";
import { printList, printOne } from "../render/print.ts";

/** `lattice nodes`. */
export const nodes: Command = {
  kind: "command",
  name: "nodes",
  summary: "Show the nodes of the cluster, or everything about one",
  positionals: [{ name: "node", description: "Name of a node", completes: "node" }],
  flags: {
    state: { type: "string", valueHint: "STATE", choices: NODE_STATES, description: "Only in this state" },
    group: { type: "string", valueHint: "N", check: wholeNumber(), description: "Only in this group of the fabric" },
  },
  examples: [["lattice nodes --state draining", "what is still being emptied"]],
  run: async (given, context) => {
    const name = given.first();
    if (name !== undefined) await showNode(name, context);
    else await showNodes(context, { state: given.text("state") ?? "", group: given.text("group") ?? "" });
    return EXIT.ok;
  },
};

async function showNode(nodeId: string, context: Context): Promise<void> {
  const node = await context.client().nodes.getNode({ nodeId }, { signal: context.signal });
  const { columns, hasColour } = context.terminal;
  const style = { now: context.now(), width: columns ?? 80, palette: paletteOf(hasColour) };
  await printOne(context, node, { id: node.nodeId, text: () => nodeDetail(node, style) });
}

async function showNodes(context: Context, filter: { readonly state: string; readonly group: string }): Promise<void> {
  const { items } = await pageThrough(async (limit, cursor) => {
    const page = await context.client().nodes.listNodes({ ...filter, limit, cursor }, { signal: context.signal });
    return { items: page.nodes, nextCursor: page.nextCursor };
  });
  await printList(context, {
    rows: items,
    idOf: (node) => node.nodeId,
    columns: nodeColumns(paletteOf(context.terminal.hasColour)),
    wide: nodeWideColumns(),
    empty: "no nodes: start lattice-agent on one",
  });
}
