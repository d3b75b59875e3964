/** Where commands write, and what they may assume of it. */
import { writeSync } from "node:fs";
import { fault, LatticeError } from "../core/domain/errors.ts";

/** Output of a command. Results go to `out`, everything else to `err`. */
export interface Terminal {
  readonly out: (text: string | Uint8Array) => void;
  readonly err: (text: string | Uint8Array) => void;
  /** Columns of the screen; undefined when `out` is no screen, where nothing is cut off. */
  readonly columns: number | undefined;
  readonly hasColour: boolean;
  /** Forgets what is on the screen, for a view that is drawn again. */
  readonly clear: () => void;
}

/** Thrown when the reader of our output has gone; the command ends in silence. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

/** Returns the terminal of this process. */
export function processTerminal(wantsColour: boolean): Terminal {
  const { stdout } = process;
  const hasColour = wantsColour && stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== "dumb";
  return {
    out: (text) => writeAll(1, text),
    err: (text) => writeAll(2, text),
    columns: stdout.isTTY ? stdout.columns || 80 : columnsOf(process.env.COLUMNS),
    hasColour,
    clear: () => {
      if (stdout.isTTY) writeAll(1, "\u001b[H\u001b[2J");
    },
  };
}

/** COLUMNS is seldom exported; whoever does wants output of that width. */
function columnsOf(text: string | undefined): number | undefined {
  const columns = Number(text);
  return Number.isInteger(columns) && columns >= 20 ? columns : undefined;
}

/** Synchronous, so that output is complete when the process exits; a full pipe is waited for. */
function writeAll(descriptor: number, text: string | Uint8Array): void {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  let at = 0;
  while (at < bytes.length) {
    try {
      at += writeSync(descriptor, bytes, at, bytes.length - at);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : "";
      if (code === "EPIPE") throw new OutputClosed();
      if (code !== "EAGAIN") throw unwritable(error);
      Bun.sleepSync(1);
    }
  }
}

function unwritable(error: unknown): LatticeError {
  const reason = error instanceof Error ? error.message : String(error);
  return new LatticeError(fault("INTERNAL", `the output cannot be written: ${reason}`, "write it somewhere else"));
}
