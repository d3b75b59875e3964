/** `lattice watch`: changes of allocations as they happen. */
import type { AllocationEvent, AllocationStatus } from "../../client/messages.ts";
import { LatticeError } from "../../core/domain/errors.ts";
import { ALLOCATION_STATES } from "../../core/domain/lifecycle.ts";
import { timestampFromProto } from "../../wire/timestamp.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { endedEarly, patiently, waitUntil } from "../follow.ts";
import type { Command } from "../grammar/command.ts";
import { UsageError } from "../grammar/usage-error.ts";
import { displayId, hasEnded } from "../render/allocation-text.ts";
import { painterOf, paletteOf } from "../render/colour.ts";
import { isData, printEvent } from "../render/print.ts";
import { printable } from "../render/table.ts";
import { moment } from "../render/text.ts";

/** `lattice watch`. */
export const watch: Command = {
  kind: "command",
  name: "watch",
  summary: "Show changes of allocations as they happen",
  details: ["Of one allocation until it has ended; without an id, of all that you may see, until Ctrl-C."],
  positionals: [{ name: "id", description: "The allocation or array", completes: "allocation" }],
  flags: {
    until: {
      type: "string",
      valueHint: "STATE",
      choices: ALLOCATION_STATES,
      description: "End when it reaches this state; fail when it can no longer",
    },
  },
  examples: [["lattice watch 12 --until running", "returns when 12 has started"]],
  run: async (given, context) => {
    const id = given.first();
    const until = given.text("until");
    if (id === undefined) {
      if (until !== undefined) throw new UsageError("--until needs the id of an allocation");
      await showEvents(context, "");
      return EXIT.ok;
    }
    const stop = new AbortController();
    const scope = { ...context, signal: AbortSignal.any([context.signal, stop.signal]) };
    const events = showEvents(scope, id).catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
    const waited = waitUntil(context, id, ({ state }) => state === until || hasEnded(state));
    const status = await Promise.race([waited, events.then(() => waited)]);
    stop.abort();
    await events;
    return outcome(context, status, until);
  },
};

function outcome(context: Context, status: AllocationStatus, until: string | undefined): number {
  const shown = displayId(status);
  if (until === undefined || status.state === until) {
    if (!isData(context)) context.terminal.out(`${shown} is ${status.state}\n`);
    return EXIT.ok;
  }
  const message = `allocation ${shown} is ${status.state} and will not be ${until}`;
  throw new LatticeError({ reason: "ILLEGAL_TRANSITION", message });
}

async function showEvents(context: Context, id: string): Promise<void> {
  const filter = {
    allocationId: id,
    tenant: context.settings.tenant ?? "",
    vcluster: context.settings.vcluster ?? "",
  };
  await patiently(context, async () => {
    for await (const event of context.client().allocations.watch(filter, { signal: context.signal })) {
      if (isData(context)) await printEvent(context, event);
      else context.terminal.out(`${eventLine(event, context)}\n`);
    }
    throw endedEarly();
  });
}

function eventLine(event: AllocationEvent, { terminal }: Context): string {
  const palette = paletteOf(terminal.hasColour);
  const at = moment(event.timestamp && timestampFromProto(event.timestamp));
  const from = event.previousState === "" || event.previousState === event.state ? "" : `${event.previousState} -> `;
  const note = event.message === "" ? "" : `  ${printable(event.message)}`;
  return `${palette.dim(at)}  ${event.shortId}  ${from}${painterOf(event.state, palette)(event.state)}${note}`;
}
