/** `lattice dag status|list|cancel`: workflows that were submitted. */
import type { DagStatus } from "../../client/messages.ts";
import { timestampFromProto } from "../../wire/timestamp.ts";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../grammar/command.ts";
import { pageThrough } from "../page-through.ts";
import { allocationColumns } from "../render/allocation-table.ts";
import { hasEnded } from "../render/allocation-text.ts";
import { painterOf, paletteOf } from "../render/colour.ts";
import { isData, printData, printList, printOne } from "../render/print.ts";
import { renderTable } from "../render/table.ts";
import { counted, moment } from "../render/text.ts";

const DAG_STATES = ["pending", "running", "completed", "failed", "cancelled"];
const ID = { name: "id", description: "The workflow", isRequired: true } as const;

/** `lattice dag status`. */
export const dagStatus: Command = {
  kind: "command",
  name: "dag status",
  summary: "Show a workflow with its members",
  positionals: [ID],
  run: async (given, context) => {
    const dagId = given.first() ?? "";
    const dag = await context.client().allocations.getDag({ dagId }, { signal: context.signal });
    const palette = paletteOf(context.terminal.hasColour);
    const columns = allocationColumns(context.now(), palette);
    const title = `${palette.bold(`Workflow ${dag.dagId}`)}  ${painterOf(dag.state, palette)(dag.state)}`;
    const text = () => `${title}\n\n${renderTable(dag.allocations, columns, context.terminal.columns)}`;
    await printOne(context, dag, { id: dag.dagId, text });
    return EXIT.ok;
  },
};

/** `lattice dag list`. */
export const dagList: Command = {
  kind: "command",
  name: "dag list",
  summary: "List workflows",
  flags: {
    state: { type: "string", valueHint: "STATE", choices: DAG_STATES, description: "Only in this state" },
    user: { type: "string", alias: "u", valueHint: "NAME", description: "Only of this user" },
  },
  run: async (given, context) => {
    const filter = {
      tenant: context.settings.tenant ?? "",
      user: given.text("user") ?? "",
      state: given.text("state") ?? "",
    };
    const { items } = await pageThrough(async (limit, cursor) => {
      const request = { ...filter, limit, cursor };
      const page = await context.client().allocations.listDags(request, { signal: context.signal });
      return { items: page.dags, nextCursor: page.nextCursor };
    });
    const palette = paletteOf(context.terminal.hasColour);
    await printList(context, {
      rows: items,
      idOf: (dag) => dag.dagId,
      columns: [
        { title: "ID", value: (dag) => dag.dagId },
        { title: "STATE", value: (dag) => dag.state, paint: (text, dag) => painterOf(dag.state, palette)(text) },
        { title: "MEMBERS", value: progress },
        { title: "USER", value: (dag) => dag.user, least: 6 },
        { title: "SUBMITTED", value: (dag) => moment(dag.createdAt && timestampFromProto(dag.createdAt)), dropRank: 1 },
      ],
      empty: "no workflows",
    });
    return EXIT.ok;
  },
};

/** `lattice dag cancel`. */
export const dagCancel: Command = {
  kind: "command",
  name: "dag cancel",
  summary: "Cancel every member of a workflow that has not ended",
  positionals: [ID],
  run: async (given, context) => {
    const dagId = given.first() ?? "";
    const { allocationsCancelled } = await context
      .client()
      .allocations.cancelDag({ dagId }, { signal: context.signal });
    if (context.settings.isQuiet) context.terminal.out(`${dagId}\n`);
    else if (isData(context)) {
      await printData(context, { dag_id: dagId, success: true, allocations_cancelled: allocationsCancelled });
    } else context.terminal.out(`Cancelled DAG: ${dagId} (${counted(allocationsCancelled, "allocation")})\n`);
    return EXIT.ok;
  },
};

const progress = ({ allocations }: DagStatus): string =>
  `${allocations.filter(({ state }) => hasEnded(state)).length}/${allocations.length} ended`;
