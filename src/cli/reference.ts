/** Makes docs/reference/cli.md from the definitions of the commands. */
import { FAULTS } from "../core/domain/errors.ts";
import { EXIT } from "./exit-codes.ts";
import type { Command } from "./grammar/command.ts";
import type { Flag } from "./grammar/flag.ts";
import { flagText, usageLine } from "./help.ts";
import { PROGRAM } from "./program.ts";
import { GLOBAL_FLAGS } from "./settings.ts";
import { walk } from "./walk.ts";

/** Returns the reference of the CLI as Markdown. */
export async function cliReference(): Promise<string> {
  const places = await walk(PROGRAM);
  const commands = places.flatMap((place) => (place.kind === "command" ? [place.command] : []));
  return [
    "# The command line",
    "",
    "Generated from the definitions of the commands. `lattice COMMAND --help` prints the same.",
    "",
    "## Flags of every command",
    "",
    ...flagTable(GLOBAL_FLAGS),
    "",
    "They may stand before or after the command. Unless set, the server is `http://127.0.0.1:8080`. The file `~/.config/lattice/config.toml` (or `config.yaml`) may set `server`, `tenant`, `vcluster`, `output` and `timeout`; the environment wins over it, and flags win over both.",
    "",
    "`-o json` and `-o yaml` print the messages of the API with its field names. Streams print one document a line (JSON) or a document each (YAML).",
    "",
    "## Exit codes",
    "",
    ...exitTable(),
    "",
    ...commands.flatMap(commandSection),
  ].join("\n");
}

function commandSection(command: Command): readonly string[] {
  const { positionals = [], flags = {}, details = [], examples = [] } = command;
  const lines = [`## lattice ${command.name}`, "", `${command.summary}.`, ""];
  for (const paragraph of details) lines.push(escaped(paragraph), "");
  lines.push("```", usageLine(command), "```", "");
  if (positionals.length > 0) {
    lines.push("| argument | meaning |", "|---|---|");
    lines.push(...positionals.map(({ name, description }) => `| \`${name}\` | ${escaped(description)} |`), "");
  }
  if (Object.keys(flags).length > 0) lines.push(...flagTable(flags), "");
  for (const [line, meaning] of examples) lines.push(`- \`${line}\`: ${escaped(meaning)}`);
  if (examples.length > 0) lines.push("");
  return lines;
}

function flagTable(flags: Readonly<Record<string, Flag>>): readonly string[] {
  const rows = Object.entries(flags).map(([name, flag]) => {
    const letter = flag.alias === undefined ? "" : `\`-${flag.alias}\``;
    const value = flag.type === "string" ? ` ${flag.valueHint}` : "";
    return `| \`--${name}${value.replaceAll("|", "\\|")}\` | ${letter} | ${escaped(flagText(flag))} |`;
  });
  return ["| flag | short | meaning |", "|---|---|---|", ...rows];
}

function exitTable(): readonly string[] {
  const byCode = new Map<number, string[]>();
  for (const [reason, { exit }] of Object.entries(FAULTS)) byCode.set(exit, [...(byCode.get(exit) ?? []), reason]);
  const rows: (readonly [number, string])[] = [
    [EXIT.ok, "done"],
    [EXIT.usage, "the command line makes no sense; nothing was asked of a server"],
    [EXIT.notTheWork, "`submit --wait` and `--follow`: the work has no exit code of its own, Lattice ended it"],
    [EXIT.interrupted, "Ctrl-C"],
    ...[...byCode].map(([code, reasons]) => [code, reasons.map((reason) => `\`${reason}\``).join(", ")] as const),
  ];
  const merged = new Map<number, string>();
  for (const [code, text] of rows) merged.set(code, merged.has(code) ? `${merged.get(code)}; ${text}` : text);
  const sorted = [...merged].toSorted(([a], [b]) => a - b);
  return ["| code | meaning |", "|---|---|", ...sorted.map(([code, text]) => `| ${code} | ${text} |`)];
}

const escaped = (text: string): string => text.replaceAll("|", "\\|").replace(/</g, "&lt;");
