/** What a flag is: citty's argument definition, narrowed to what the strict parser obeys. */
import type { BooleanArgDef, StringArgDef } from "citty";

/** What the shell completes a value from, besides `choices`. */
export type ValueKind = "file" | "directory" | "allocation" | "node";

/** A flag that is on or off. */
export type SwitchFlag = BooleanArgDef & { readonly type: "boolean"; readonly alias?: string };

/** A flag with a value. */
export type ValueFlag = StringArgDef & {
  readonly type: "string";
  readonly alias?: string;
  /** Another long name that is understood and not shown: what the flag is called elsewhere. */
  readonly synonym?: string;
  readonly valueHint: string;
  /** May be given several times; each time adds. */
  readonly isRepeated?: boolean;
  readonly choices?: readonly string[];
  /** Returns what is wrong with a value. */
  readonly check?: (value: string) => string | undefined;
  readonly completes?: ValueKind;
};

/** Any flag. */
export type Flag = SwitchFlag | ValueFlag;
