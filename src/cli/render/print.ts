/** Prints a result in the format asked for: table, JSON or YAML of the same message, or ids only. */
import { type Message, messageToJson } from "../../client/messages.ts";
import type { Context } from "../context.ts";
import type { Column } from "./table.ts";
import { renderTable } from "./table.ts";

/** How a list of T is shown. */
export interface ListView<T extends Message> {
  readonly rows: readonly T[];
  readonly idOf: (row: T) => string;
  readonly columns: readonly Column<T>[];
  /** Further columns of `-o wide`. */
  readonly wide?: readonly Column<T>[];
  /** Said on standard error when there are no rows. */
  readonly empty: string;
}

/** Prints a list. */
export async function printList<T extends Message>(context: Context, view: ListView<T>): Promise<void> {
  const { settings, terminal } = context;
  if (settings.isQuiet) {
    terminal.out(view.rows.map((row) => `${view.idOf(row)}\n`).join(""));
  } else if (settings.format === "json" || settings.format === "yaml") {
    await printData(context, view.rows.map(messageToJson));
  } else if (view.rows.length === 0) {
    terminal.err(`${view.empty}\n`);
  } else {
    const columns = settings.format === "wide" ? [...view.columns, ...(view.wide ?? [])] : view.columns;
    const width = settings.format === "wide" ? undefined : terminal.columns;
    terminal.out(renderTable(view.rows, columns, width));
  }
}

/** Prints one thing; `text` makes its form for people. */
export async function printOne(
  context: Context,
  message: Message,
  view: { readonly id: string; readonly text: () => string },
): Promise<void> {
  const { settings, terminal } = context;
  if (settings.isQuiet) terminal.out(`${view.id}\n`);
  else if (settings.format === "json" || settings.format === "yaml") await printData(context, messageToJson(message));
  else terminal.out(view.text());
}

/** Prints plain data as JSON or YAML. */
export async function printData(context: Context, data: unknown): Promise<void> {
  context.terminal.out(await dataText(context.settings.format, data));
}

/** Prints one line of data of a stream: a JSON line, or a YAML document. */
export async function printEvent(context: Context, message: Message): Promise<void> {
  const data = messageToJson(message);
  const isJson = context.settings.format === "json";
  context.terminal.out(isJson ? `${JSON.stringify(data)}\n` : `---\n${await dataText("yaml", data)}`);
}

/** Returns whether the output is for programs. */
export const isData = ({ settings }: Context): boolean => settings.format === "json" || settings.format === "yaml";

async function dataText(format: string, data: unknown): Promise<string> {
  if (format === "json") return `${JSON.stringify(data, undefined, 2)}\n`;
  const { stringify } = await import("yaml");
  return stringify(data);
}
