/** The few pieces of Markdown that the generated references are made of. */

/** Says where a generated file comes from. */
export const generatedFrom = (source: string): string => `<!-- Generated from ${source} by: bun run generate -->`;

/** Returns a table; a bar in a cell is escaped. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((c) => c.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

/** Returns `text` as code. */
export const code = (text: string): string => `\`${text}\``;
