/**
 * A strict reader of command-line flags for the server and the agent: an unknown flag, a
 * flag given twice, a missing value or a stray word is an error, and all errors come at
 * once. (The CLI has a command tree and its own wrapper.)
 */
import { pairs } from "../base/columns.ts";
import { nearest } from "../base/nearest.ts";
import { LatticeError } from "../core/domain/errors.ts";

/** One flag. */
export interface FlagSpec {
  /** What stands for the value in the help, as FILE; absent for a switch. */
  readonly value?: string;
  /** The one-letter form, without its dash. */
  readonly short?: string;
  readonly meaning: string;
}

/** The flags that a program knows, by long name without dashes. */
export type FlagSpecs = Readonly<Record<string, FlagSpec>>;

/** What a command line says. */
export interface Flags {
  readonly values: ReadonlyMap<string, string>;
  readonly switches: ReadonlySet<string>;
  /** Words that are no flags, in order. */
  readonly operands: readonly string[];
}

/**
 * Returns what `argv` says. Words that are no flags are operands, at most `operandsMax`.
 *
 * @throws INVALID_FLAGS with every problem, one a line.
 */
export function parseFlags(specs: FlagSpecs, argv: readonly string[], operandsMax = 0): Flags {
  const reader = new FlagReader(specs, argv);
  const flags = reader.read();
  const stray = flags.operands.slice(operandsMax).map((word) => `unexpected argument ${JSON.stringify(word)}`);
  const problems = [...reader.problems, ...stray];
  if (problems.length > 0) throw new LatticeError({ reason: "INVALID_FLAGS", message: problems.join("\n") });
  return flags;
}

/** Every terminal has as many columns. */
const HELP_WIDTH = 80;

/** Returns the lines that list the flags, aligned, in no more columns than every terminal has. */
export function renderFlags(specs: FlagSpecs): string {
  const rows = Object.entries(specs).map(([name, { short, value, meaning }]) => {
    const long = value === undefined ? `--${name}` : `--${name} ${value}`;
    return [short === undefined ? `    ${long}` : `-${short}, ${long}`, meaning] as const;
  });
  return pairs(rows, HELP_WIDTH).join("\n");
}

class FlagReader {
  readonly problems: string[] = [];
  readonly #values = new Map<string, string>();
  readonly #switches = new Set<string>();
  readonly #operands: string[] = [];
  #at = 0;

  constructor(
    readonly specs: FlagSpecs,
    readonly argv: readonly string[],
  ) {}

  read(): Flags {
    while (this.#at < this.argv.length) {
      const word = this.argv[this.#at++] ?? "";
      if (word === "--") {
        this.#operands.push(...this.argv.slice(this.#at));
        break;
      }
      if (word.startsWith("--")) this.#long(word);
      else if (word.startsWith("-") && word !== "-") this.#short(word);
      else this.#operands.push(word);
    }
    return { values: this.#values, switches: this.#switches, operands: this.#operands };
  }

  #long(word: string): void {
    const equals = word.indexOf("=");
    const name = word.slice(2, equals < 0 ? undefined : equals);
    this.#take(name, `--${name}`, equals < 0 ? undefined : word.slice(equals + 1));
  }

  #short(word: string): void {
    const letter = word.slice(1, 2);
    const name = Object.keys(this.specs).find((n) => this.specs[n]?.short === letter);
    this.#take(name ?? letter, `-${letter}`, word.length > 2 ? word.slice(2).replace(/^=/, "") : undefined);
  }

  #take(name: string, shown: string, inline: string | undefined): void {
    const spec = Object.hasOwn(this.specs, name) ? this.specs[name] : undefined;
    if (spec === undefined) {
      const guess = nearest(name, Object.keys(this.specs));
      this.problems.push(`unknown flag ${shown}${guess === undefined ? "" : `; nearest: --${guess}`}`);
      return;
    }
    if (this.#values.has(name) || this.#switches.has(name)) this.problems.push(`${shown} is given twice`);
    if (spec.value === undefined) {
      if (inline !== undefined) this.problems.push(`${shown} takes no value`);
      this.#switches.add(name);
      return;
    }
    const value = inline ?? this.#next();
    if (value === undefined || value === "") this.problems.push(`${shown} needs a value: ${shown} ${spec.value}`);
    else this.#values.set(name, value);
  }

  #next(): string | undefined {
    const word = this.argv[this.#at];
    if (word === undefined || (word.startsWith("-") && word !== "-")) return undefined;
    this.#at++;
    return word;
  }
}
