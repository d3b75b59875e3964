/** What a command line said, after the parser checked it. */
import { assert } from "../../base/assert.ts";
import type { Flag } from "./flag.ts";

/** What a command line says, checked against the definition of its command. */
export class Given {
  /** Arguments in the order of the command's definition. */
  readonly positionals: readonly string[];
  /** What follows `--`, if it stands there. */
  readonly argv: readonly string[] | undefined;

  constructor(
    private readonly flags: Readonly<Record<string, Flag>>,
    private readonly values: ReadonlyMap<string, readonly string[]>,
    words: Pick<Given, "positionals" | "argv">,
  ) {
    this.positionals = words.positionals;
    this.argv = words.argv;
  }

  /** Returns the value of a flag; the last one when it is repeated. */
  text(name: string): string | undefined {
    return this.all(name).at(-1);
  }

  /** Returns every value of a repeated flag. */
  all(name: string): readonly string[] {
    assert(name in this.flags, `no flag --${name} is defined`);
    return this.values.get(name) ?? [];
  }

  /** Returns whether a boolean flag is on. */
  has(name: string): boolean {
    return this.text(name) === "true";
  }

  /** Returns a whole number that a flag's check has accepted. */
  number(name: string): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : Number(text);
  }

  /** Returns the only or first argument. */
  first(): string | undefined {
    return this.positionals[0];
  }
}
