/**
 * Reads the `#SBATCH` and `#LATTICE` directives of a batch script. What sbatch would
 * obey and Lattice does not is warned about by name; a wrong value of an option that is
 * obeyed refuses the script. Later options replace earlier ones.
 */
import { nearest } from "../../base/nearest.ts";
import type { Result } from "../../base/result.ts";
import { ok } from "../../base/result.ts";
import type { Directives } from "../domain/allocation-request.ts";
import type { Fault } from "../domain/errors.ts";
import { refuse } from "../domain/errors.ts";
import type { DirectiveLine, DirectiveLines } from "./directive-lines.ts";
import { readDirectiveLines } from "./directive-lines.ts";
import type { Draft, Setter } from "./draft.ts";
import { complete, emptyDraft } from "./draft.ts";
import { LATTICE_OPTIONS, LATTICE_SWITCHES } from "./lattice-options.ts";
import { SBATCH_LETTERS, SBATCH_OPTIONS } from "./sbatch-options.ts";

/** Returns what the directives ask for. Fails with INVALID_SPEC naming the line and the option. */
export function parseDirectives(script: string): Result<Directives, Fault> {
  const found = readDirectiveLines(script);
  const problem = problemOf(found);
  if (problem !== undefined) return refuse("INVALID_SPEC", problem);
  const draft = emptyDraft();
  for (const line of found.lines) {
    const wrong = line.family === "SBATCH" ? readSbatch(draft, line) : readLattice(draft, line);
    if (wrong !== undefined) return refuse("INVALID_SPEC", `line ${line.line}: ${wrong}`);
  }
  for (const line of found.indentedLines) {
    draft.warnings.push(`line ${line}: a directive must start in the first column, this one is a comment`);
  }
  if (found.lateLine !== undefined) {
    draft.warnings.push(`line ${found.lateLine}: directives after the first command are not read`);
  }
  return ok(complete(draft));
}

function problemOf(found: DirectiveLines): string | undefined {
  if (found.unclosedLine !== undefined) return `line ${found.unclosedLine}: a quote is not closed`;
  if (found.hetJobLine === undefined) return undefined;
  return `line ${found.hetJobLine}: a heterogeneous job cannot be run, submit a workflow with: lattice dag submit`;
}

/** One option as it stands on a line. */
interface Given {
  readonly name: string;
  readonly setter: Setter;
  readonly value: string;
}

function apply(draft: Draft, line: number, given: Given): string | undefined {
  const before = draft.warnings.length;
  const wrong = given.setter(draft, given.value);
  for (let i = before; i < draft.warnings.length; i++) {
    draft.warnings[i] = `line ${line}: ${given.name}: ${draft.warnings[i]}`;
  }
  return wrong === undefined ? undefined : `${given.name}: ${wrong}`;
}

function readSbatch(draft: Draft, { line, words }: DirectiveLine): string | undefined {
  const left = [...words];
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    let wrong: string | undefined;
    if (word.startsWith("--")) wrong = readLong(draft, line, [word.slice(2), left]);
    else if (word.startsWith("-") && word.length > 1) wrong = readShort(draft, line, [word.slice(1), left]);
    else draft.warnings.push(`line ${line}: "${word}" is not an option and is not read`);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

/** Long options may be shortened as far as they stay unique, as getopt has it. */
function longName(text: string): string | undefined {
  if (SBATCH_OPTIONS.has(text)) return text;
  const matches = [...SBATCH_OPTIONS.keys()].filter((name) => name.startsWith(text));
  return matches.length === 1 ? matches[0] : undefined;
}

type Rest = readonly [word: string, left: string[]];

function readLong(draft: Draft, line: number, [word, left]: Rest): string | undefined {
  const equals = word.indexOf("=");
  const text = equals < 0 ? word : word.slice(0, equals);
  const name = longName(text);
  const option = name === undefined ? undefined : SBATCH_OPTIONS.get(name);
  if (name === undefined || option === undefined) {
    const close = nearest(text, [...SBATCH_OPTIONS.keys()]);
    const hint = close === undefined ? "" : `, did you mean --${close}?`;
    draft.warnings.push(`line ${line}: --${text} is not an option of sbatch${hint}`);
    if (equals < 0 && left[0] !== undefined && !left[0].startsWith("-")) left.shift();
    return undefined;
  }
  const inline = equals < 0 ? undefined : word.slice(equals + 1);
  if (option.arity === "none" && inline !== undefined) return `--${name}: takes no value`;
  const value = option.arity === "value" ? (inline ?? left.shift()) : (inline ?? "");
  if (value === undefined) return `--${name}: the value is missing`;
  return apply(draft, line, { name: `--${name}`, setter: option.apply, value });
}

/** Letters without a value may be joined (`-HO`); the rest of the word is the value of one that has one. */
function readShort(draft: Draft, line: number, [word, left]: Rest): string | undefined {
  for (let i = 0; i < word.length; i++) {
    const letter = word[i] ?? "";
    const name = SBATCH_LETTERS.get(letter);
    const option = name === undefined ? undefined : SBATCH_OPTIONS.get(name);
    if (option === undefined) {
      draft.warnings.push(`line ${line}: -${letter} is not an option of sbatch`);
      if (i === word.length - 1 && left[0] !== undefined && !left[0].startsWith("-")) left.shift();
      return undefined;
    }
    const joined = word.slice(i + 1);
    const shown = `-${letter} (--${name})`;
    const hasValue = option.arity === "value" || (option.arity === "optional" && joined !== "");
    const value = option.arity === "value" && joined === "" ? left.shift() : joined.replace(/^=/, "");
    if (hasValue && value === undefined) return `${shown}: the value is missing`;
    const wrong = apply(draft, line, { name: shown, setter: option.apply, value: hasValue ? (value ?? "") : "" });
    if (wrong !== undefined || hasValue) return wrong;
  }
  return undefined;
}

function readLattice(draft: Draft, { line, words }: DirectiveLine): string | undefined {
  const left = [...words];
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    const text = word.startsWith("--") ? word.slice(2) : word;
    const equals = text.indexOf("=");
    const name = equals < 0 ? text : text.slice(0, equals);
    const setter = LATTICE_OPTIONS.get(name);
    const isSwitch = LATTICE_SWITCHES.has(name);
    const takesNext = equals < 0 && !isSwitch && word.startsWith("--");
    const value = equals < 0 ? (takesNext ? left.shift() : isSwitch ? "" : undefined) : text.slice(equals + 1);
    if (setter === undefined) {
      const close = nearest(name, [...LATTICE_OPTIONS.keys()]);
      const hint = close === undefined ? "" : `, did you mean ${close}?`;
      draft.warnings.push(`line ${line}: ${name} is not an option of Lattice${hint}`);
      continue;
    }
    if (value === undefined) return `${name}: the value is missing, write ${name}=value`;
    const wrong = apply(draft, line, { name, setter, value });
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}
