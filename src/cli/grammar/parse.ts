/**
 * The strict parser of command lines: unknown flags, missing and wrong values, and
 * stray arguments are errors that name the nearest valid one. Flags may stand before or
 * after the arguments; `--` ends them.
 */
import { nearest } from "../../base/nearest.ts";
import type { Command, Group, LazyCommand, Positional } from "./command.ts";
import type { Flag, ValueFlag } from "./flag.ts";
import { Given } from "./given.ts";
import { UsageError } from "./usage-error.ts";

type Flags = Readonly<Record<string, Flag>>;

/** What people who come from Slurm type. */
const SLURM_NAMES: Readonly<Record<string, string>> = {
  sbatch: "submit",
  squeue: "status",
  scancel: "cancel",
  sinfo: "nodes",
  sacct: "status --all",
  scontrol: "status",
  srun: "submit --follow",
};

/** Accepts whole numbers from `least` up, as the check of a flag. */
export const wholeNumber =
  (least = 0) =>
  (value: string): string | undefined =>
    /^\d{1,9}$/.test(value) && Number(value) >= least ? undefined : `is not a whole number from ${least} up`;

/** Accepts numbers from 0 up, as the check of a flag. */
export const amount = (value: string): string | undefined =>
  /^\d{1,12}(?:\.\d{1,9})?$/.test(value) ? undefined : "is not a number from 0 up";

/** A command line cut at its command: the words before are global flags. */
export interface Split {
  readonly path: readonly string[];
  readonly entry: LazyCommand | Group;
  readonly rest: readonly string[];
  readonly wantsHelp: boolean;
}

/** Finds the command that the words name, skipping over global flags. */
export function findCommand(root: Group, words: readonly string[], globals: Flags): Split {
  let entry: LazyCommand | Group = root;
  const path: string[] = [];
  const rest: string[] = [];
  let wantsHelp = false;
  let at = 0;
  for (; at < words.length && entry.kind === "group"; at++) {
    const word: string = words[at] ?? "";
    if (word === "--help" || word === "-h" || (word === "help" && path.length === 0)) {
      wantsHelp = true;
    } else if (word === "--") break;
    else if (word.startsWith("-") && word !== "-") {
      rest.push(word);
      const flag = flagOf(word, globals);
      if (flag !== undefined && !isInline(word) && flag[1].type === "string" && at + 1 < words.length) {
        rest.push(words[++at] ?? "");
      }
    } else {
      entry = memberOf(entry, path, word);
      path.push(word);
    }
  }
  const tail = words.slice(at);
  const end = tail.indexOf("--");
  const isHelp = (word: string) => word === "--help" || word === "-h";
  const flags = end < 0 ? tail : tail.slice(0, end);
  wantsHelp ||= flags.some(isHelp);
  return { path, entry, rest: [...rest, ...(wantsHelp ? tail.filter((word) => !isHelp(word)) : tail)], wantsHelp };
}

/** Reads the words after a command's name. Throws UsageError. */
export function parseWords(command: Command, line: readonly string[], globals: Flags): Given {
  const flags: Flags = { ...globals, ...command.flags };
  const values = new Map<string, string[]>();
  const positionals: string[] = [];
  const words = [...line];
  let argv: readonly string[] | undefined;
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === "--") {
      argv = words;
      break;
    }
    if (!word.startsWith("-") || word === "-") positionals.push(word);
    else readFlag(flagOf(word, flags) ?? unknownFlag(word, flags, command), { word, words, values });
  }
  checkPositionals(command, positionals);
  if (argv !== undefined && command.argvName === undefined) {
    if (argv[0] !== undefined) throw stray(argv[0], command);
    argv = undefined;
  }
  return new Given(flags, values, { positionals, argv });
}

interface Reading {
  readonly word: string;
  /** The words after it, from which a value is taken. */
  readonly words: string[];
  readonly values: Map<string, string[]>;
}

function readFlag([name, flag]: readonly [string, Flag], { word, words, values }: Reading): void {
  const inline = inlineValue(word);
  if (flag.type === "boolean") {
    const isJoined = inline !== undefined && !word.startsWith("--");
    if (isJoined) words.unshift(`-${inline}`);
    add(values, name, booleanValue(word, isJoined ? undefined : inline));
    return;
  }
  const value = inline ?? words.shift();
  if (value === undefined || (inline === undefined && isFlagLike(value))) throw missingValue(name, flag);
  checkValue(name, flag, value);
  if (values.has(name) && !flag.isRepeated) throw new UsageError(`--${name} is given twice`);
  add(values, name, value);
}

const isFlagLike = (value: string): boolean => /^--?[a-z]/i.test(value);
const isInline = (word: string): boolean => inlineValue(word) !== undefined;

function add(values: Map<string, string[]>, name: string, value: string): void {
  const list = values.get(name);
  if (list === undefined) values.set(name, [value]);
  else list.push(value);
}

/** `--name=value`, or `-nvalue`; undefined when the value is the next word. */
function inlineValue(word: string): string | undefined {
  if (word.startsWith("--")) {
    const equals = word.indexOf("=");
    return equals < 0 ? undefined : word.slice(equals + 1);
  }
  return word.length > 2 ? word.slice(2).replace(/^=/, "") : undefined;
}

function flagOf(word: string, flags: Flags): readonly [string, Flag] | undefined {
  if (!word.startsWith("--")) {
    return Object.entries(flags).find(([, flag]) => flag.alias === word[1]);
  }
  const name = word.slice(2).split("=")[0] ?? "";
  const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
  if (flag !== undefined) return [name, flag];
  return Object.entries(flags).find(([, other]) => other.type === "string" && other.synonym === name);
}

function booleanValue(word: string, inline: string | undefined): string {
  if (inline === undefined || inline === "true") return "true";
  if (inline === "false") return "false";
  throw new UsageError(`${word}: the flag takes no value`);
}

function checkValue(name: string, flag: ValueFlag, value: string): void {
  if (flag.choices !== undefined && !flag.choices.includes(value)) {
    throw new UsageError(
      `--${name}: "${value}" is none of ${flag.choices.join(", ")}`,
      did(nearest(value, flag.choices)),
    );
  }
  const wrong = value === "" ? "is empty" : flag.check?.(value);
  if (wrong !== undefined) throw new UsageError(`--${name}: ${value === "" ? "the value" : `"${value}"`} ${wrong}`);
}

function checkPositionals(command: Command, given: readonly string[]): void {
  const defined = command.positionals ?? [];
  for (const [i, positional] of defined.entries()) {
    const value = given[i];
    if (value === undefined) {
      if (positional.isRequired) throw new UsageError(`<${positional.name}> is missing`, helpOf(command));
    } else checkChoice(positional, value);
  }
  const last = defined.at(-1);
  const extra = given[defined.length];
  if (extra !== undefined && !last?.isRepeated) throw stray(extra, command);
}

function checkChoice({ name, choices }: Positional, value: string): void {
  if (choices === undefined || choices.includes(value)) return;
  throw new UsageError(`<${name}>: "${value}" is none of ${choices.join(", ")}`, did(nearest(value, choices)));
}

function memberOf(entry: Group, path: readonly string[], word: string): LazyCommand | Group {
  const member = entry.members.find(({ name }) => name === word);
  if (member !== undefined) return member;
  const names = entry.members.map(({ name }) => name);
  const close = path.length === 0 && Object.hasOwn(SLURM_NAMES, word) ? SLURM_NAMES[word] : nearest(word, names);
  const where = ["lattice", ...path].join(" ");
  throw new UsageError(
    `${where} has no command "${word}"`,
    close === undefined ? `see: ${where} --help` : `did you mean: ${where} ${close}`,
  );
}

function unknownFlag(word: string, flags: Flags, command: Command): never {
  const shown = word.startsWith("--") ? (word.split("=")[0] ?? word) : word.slice(0, 2);
  const close = word.startsWith("--") ? nearest(shown.slice(2), Object.keys(flags)) : undefined;
  throw new UsageError(`unknown flag ${shown}`, close === undefined ? helpOf(command) : did(`--${close}`));
}

const did = (name: string | undefined): string | undefined =>
  name === undefined ? undefined : `did you mean ${name}?`;
const helpOf = (command: Command): string => `see: lattice ${command.name} --help`;
const stray = (word: string, command: Command): UsageError =>
  new UsageError(`"${word}" is one argument too many`, helpOf(command));
const missingValue = (name: string, flag: ValueFlag): UsageError =>
  new UsageError(`--${name}: the value is missing, write --${name} ${flag.valueHint}`);
