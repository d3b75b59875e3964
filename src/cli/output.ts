/** Shows the output of an allocation: standard output as such, standard error on standard error. */
import type { Context } from "./context.ts";
import { type LogSelection, readLogs } from "./follow.ts";
import { isData, printEvent } from "./render/print.ts";

const STDERR = 1;
const NEWLINE = 10;

/** Shows output until it ends. `isLabelled` puts the node before every line. */
export async function followOutput(context: Context, selection: LogSelection, isLabelled = false): Promise<void> {
  const { out, err } = context.terminal;
  const lines = new LabelledLines();
  const events: Promise<void>[] = [];
  await readLogs(context, selection, (entry) => {
    const write = entry.stream === STDERR ? err : out;
    if (isData(context)) events.push(printEvent(context, entry));
    else if (isLabelled) lines.add(`${entry.nodeId}: `, { data: entry.data, write });
    else write(entry.data);
  });
  lines.end();
  await Promise.all(events);
}

type Write = (data: Uint8Array) => void;

/** Puts a label before every line. A line that comes in pieces is held back until it is whole. */
class LabelledLines {
  readonly #pending = new Map<Write, Map<string, Uint8Array>>();

  /** Writes the lines that `data` completes. */
  add(label: string, { data, write }: { readonly data: Uint8Array; readonly write: Write }): void {
    const pending = this.#pending.get(write) ?? new Map<string, Uint8Array>();
    this.#pending.set(write, pending);
    let rest: Uint8Array = Buffer.concat([pending.get(label) ?? new Uint8Array(), data]);
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      write(Buffer.concat([Buffer.from(label), rest.subarray(0, end + 1)]));
      rest = rest.subarray(end + 1);
    }
    pending.set(label, rest);
  }

  /** Writes what was held back. */
  end(): void {
    for (const [write, pending] of this.#pending) {
      for (const [label, rest] of pending) if (rest.length > 0) write(Buffer.from(`${label}${Buffer.from(rest)}\n`));
    }
  }
}
