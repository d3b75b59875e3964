/** Shows the output of an allocation: standard output as such, standard error on standard error. */
import type { Context } from "./context.ts";
import { type LogSelection, readLogs } from "./follow.ts";
import { isData, printEvent } from "./render/print.ts";

const STDERR = 1;

/** Shows output until it ends. With more than one node, lines are not told apart unless `isLabelled`. */
export async function followOutput(context: Context, selection: LogSelection, isLabelled = false): Promise<void> {
  const labeller = isLabelled ? labelling() : undefined;
  const events: Promise<void>[] = [];
  await readLogs(context, selection, (entry) => {
    if (isData(context)) {
      events.push(printEvent(context, entry));
      return;
    }
    const write = entry.stream === STDERR ? context.terminal.err : context.terminal.out;
    write(labeller === undefined ? entry.data : labeller(`${entry.nodeId}/${entry.stream}`, entry.nodeId, entry.data));
  });
  await Promise.all(events);
}

/** Puts the node before every line; a line that comes in pieces gets it once. */
function labelling(): (key: string, node: string, data: Uint8Array) => Uint8Array {
  const isMidLine = new Map<string, boolean>();
  const encoder = new TextEncoder();
  return (key, node, data) => {
    const label = encoder.encode(`${node}: `);
    const out: Uint8Array[] = [];
    let at = 0;
    while (at < data.length) {
      const end = data.indexOf(10, at);
      const next = end < 0 ? data.length : end + 1;
      if (!isMidLine.get(key)) out.push(label);
      out.push(data.subarray(at, next));
      isMidLine.set(key, end < 0);
      at = next;
    }
    return Buffer.concat(out);
  };
}
