/** Help texts, made from the definitions of the commands; readable at 80 columns. */

import { pairs, wrap } from "../base/columns.ts";
import type { Command, Group, Positional } from "./grammar/command.ts";
import type { Flag } from "./grammar/flag.ts";
import { paletteOf } from "./render/colour.ts";

type Flags = Readonly<Record<string, Flag>>;

/** How help is laid out. */
export interface HelpStyle {
  readonly width: number;
  readonly hasColour: boolean;
  /** Flags of every command. */
  readonly globals: Flags;
}

/** Understood before any command is found. */
const ALWAYS: Flags = {
  help: { type: "boolean", alias: "h", description: "Say what a command does" },
  version: { type: "boolean", alias: "V", description: "Print the version" },
};

/** Returns the help of a group of commands. */
export function groupHelp(group: Group, path: readonly string[], style: HelpStyle): string {
  const where = ["lattice", ...path].join(" ");
  const isRoot = path.length === 0;
  return [
    ...wrap(group.summary, style.width),
    "",
    section("Usage", [`  ${where} <command> [flags]`], style),
    section(
      "Commands",
      pairs(
        group.members.map(({ name, summary }) => [name, summary]),
        style.width,
      ),
      style,
    ),
    ...(isRoot ? [section("Flags of every command", flagLines({ ...style.globals, ...ALWAYS }, style), style)] : []),
    ...wrap(`For one command: ${where} <command> --help`, style.width),
    "",
  ].join("\n");
}

/** Returns the help of one command. */
export function commandHelp(command: Command, style: HelpStyle): string {
  const { positionals = [], flags = {}, details = [], examples = [] } = command;
  const parts = [...wrap(command.summary, style.width), ""];
  for (const paragraph of details) parts.push(...wrap(paragraph, style.width), "");
  parts.push(section("Usage", [`  ${usageLine(command)}`], style));
  if (positionals.length > 0) {
    parts.push(
      section(
        "Arguments",
        pairs(
          positionals.map((p) => [argumentName(p), p.description]),
          style.width,
        ),
        style,
      ),
    );
  }
  if (Object.keys(flags).length > 0) parts.push(section("Flags", flagLines(flags, style), style));
  if (examples.length > 0) {
    const lines = examples.flatMap(([line, meaning]) => [`  ${line}`, ...wrap(meaning, style.width, "      ")]);
    parts.push(section("Examples", lines, style));
  }
  const names = Object.entries(style.globals).map(([name, flag]) =>
    flag.alias ? `-${flag.alias}/--${name}` : `--${name}`,
  );
  parts.push(...wrap(`Flags of every command: ${names.join(", ")} (see: lattice --help)`, style.width), "");
  return parts.join("\n");
}

/** Returns the usage of a command in one line. */
export function usageLine(command: Command): string {
  const words = ["lattice", command.name, ...(command.positionals ?? []).map(argumentName)];
  if (command.argvName !== undefined) words.push(`[-- ${command.argvName}...]`);
  if (Object.keys(command.flags ?? {}).length > 0) words.push("[flags]");
  return words.join(" ");
}

/** Returns a flag as it is written, with its letter and the name of its value. */
export function flagName(name: string, flag: Flag): string {
  const letter = flag.alias === undefined ? "    " : `-${flag.alias}, `;
  return `${letter}--${name}${flag.type === "string" ? ` ${flag.valueHint}` : ""}`;
}

/** Returns what a flag does, with the values it takes. */
export function flagText(flag: Flag): string {
  const text = flag.description ?? "";
  if (flag.type === "boolean") return text;
  const choices = flag.choices === undefined ? "" : `: ${flag.choices.join(", ")}`;
  return `${text}${choices}${flag.isRepeated ? "; may be repeated" : ""}`;
}

const flagLines = (flags: Flags, style: HelpStyle): readonly string[] =>
  pairs(
    Object.entries(flags).map(([name, flag]) => [flagName(name, flag), flagText(flag)]),
    style.width,
  );

function argumentName({ name, isRequired, isRepeated }: Positional): string {
  const text = isRepeated ? `${name}...` : name;
  return isRequired ? `<${text}>` : `[${text}]`;
}

const section = (title: string, lines: readonly string[], style: HelpStyle): string =>
  [paletteOf(style.hasColour).bold(`${title}:`), ...lines, ""].join("\n");
