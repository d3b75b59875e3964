/**
 * What a command is: a typed value from which parsing, help, completion and the
 * reference follow. Flags are citty's argument definitions, which the strict parser in
 * parse.ts reads by itself because citty lets unknown flags through.
 */
import type { CommandDef } from "citty";
import { defineCommand } from "citty";
import type { Context } from "../context.ts";
import type { Flag, ValueKind } from "./flag.ts";
import type { Given } from "./given.ts";

/** An argument that is not a flag. */
export interface Positional {
  readonly name: string;
  readonly description: string;
  readonly isRequired?: boolean;
  readonly isRepeated?: boolean;
  readonly choices?: readonly string[];
  readonly completes?: ValueKind;
}

/** One command. */
export interface Command {
  readonly kind: "command";
  readonly name: string;
  readonly summary: string;
  /** Paragraphs shown by --help after the summary. */
  readonly details?: readonly string[];
  readonly positionals?: readonly Positional[];
  readonly flags?: Readonly<Record<string, Flag>>;
  /** Takes what follows `--` as an argument vector; its name in the usage line. */
  readonly argvName?: string;
  /** Command lines with what they do. */
  readonly examples?: readonly (readonly [line: string, meaning: string])[];
  /** Returns the exit code. */
  readonly run: (given: Given, context: Context) => Promise<number>;
}

/** A command that is loaded when it is needed. */
export interface LazyCommand {
  readonly kind: "lazy";
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** Commands under one name. */
export interface Group {
  readonly kind: "group";
  readonly name: string;
  readonly summary: string;
  readonly members: readonly (LazyCommand | Group)[];
}

/** Returns the entry of a command that `load` brings. */
export const lazy = (name: string, summary: string, load: () => Promise<Command>): LazyCommand => ({
  kind: "lazy",
  name,
  summary,
  load,
});

/** Returns a group of commands. */
export const group = (name: string, summary: string, members: Group["members"]): Group => ({
  kind: "group",
  name,
  summary,
  members,
});

/** What a citty command is run with. */
export interface RunData {
  readonly given: Given;
  readonly context: Context;
}

/** Returns the citty form of a command whose command line is already parsed. */
export function toCitty(command: Command, data: RunData): CommandDef {
  return defineCommand({
    meta: { name: command.name, description: command.summary },
    run: () => command.run(data.given, data.context),
  });
}
