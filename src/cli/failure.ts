/** Tells people what went wrong: what happened, then what to do; on standard error. */
import type { Fault } from "../core/domain/errors.ts";
import { nextStep } from "../core/domain/errors.ts";
import { paletteOf } from "./render/colour.ts";
import { printable } from "./render/table.ts";
import type { Terminal } from "./terminal.ts";

/** Tells about a fault. */
export const reportFault = (terminal: Terminal, fault: Fault): void =>
  reportError(terminal, fault.message, nextStep(fault));

/** Tells about an error and, where there is one, the next step. */
export function reportError(terminal: Terminal, message: string, next: string | undefined): void {
  const { bad, dim } = paletteOf(terminal.hasColour);
  terminal.err(`${bad("error:")} ${printable(message)}\n`);
  if (next !== undefined) terminal.err(`${dim(`  ${printable(next)}`)}\n`);
}
