/** `lattice cancel`: ends allocations and arrays, by id or all of one's own. */

import { LatticeError } from "../../core/domain/errors.ts";
import { ALLOCATION_STATES } from "../../core/domain/lifecycle.ts";
import type { Context } from "../context.ts";
import { EXIT, exitCodeOf } from "../exit-codes.ts";
import { reportFault } from "../failure.ts";
import type { Command } from "../grammar/command.ts";
import type { Given } from "../grammar/given.ts";
import { UsageError } from "../grammar/usage-error.ts";
import { pageThrough } from "../page-through.ts";
import { displayId, hasEnded } from "../render/allocation-text.ts";
import { isData, printData } from "../render/print.ts";
import { userName } from "../user-name.ts";

const LIVE = ALLOCATION_STATES.filter((state) => !hasEnded(state));

/** `lattice cancel`. */
export const cancel: Command = {
  kind: "command",
  name: "cancel",
  summary: "End allocations and arrays",
  details: [
    "The work gets SIGTERM, its grace period, then SIGKILL. An id that cannot be cancelled does not keep the others.",
  ],
  positionals: [{ name: "id", description: "Allocations, arrays or tasks", isRepeated: true, completes: "allocation" }],
  flags: {
    "all-mine": { type: "boolean", description: "Everything of yours that waits or runs" },
    state: {
      type: "string",
      valueHint: "STATE",
      isRepeated: true,
      choices: LIVE,
      description: "With --all-mine, only what is in this state",
    },
  },
  examples: [
    ["lattice cancel 12 13_4", "one allocation and one task of an array"],
    ["lattice cancel --all-mine --state pending", "what of yours has not started"],
  ],
  run: async (given, context) => {
    const ids = await idsToCancel(given, context);
    const cancelled: string[] = [];
    let code: number = EXIT.ok;
    for (const id of ids) {
      try {
        await context.client().allocations.cancel({ allocationId: id }, { signal: context.signal });
        cancelled.push(id);
        if (!isData(context))
          context.terminal.out(context.settings.isQuiet ? `${id}\n` : `Cancelled allocation: ${id}\n`);
      } catch (error) {
        if (!(error instanceof LatticeError) || context.signal.aborted) throw error;
        reportFault(context.terminal, error.fault);
        code = code === EXIT.ok ? exitCodeOf(error.fault) : code;
      }
    }
    if (isData(context)) await printData(context, { cancelled });
    if (ids.length === 0) context.terminal.err("nothing of yours waits or runs\n");
    return code;
  },
};

async function idsToCancel(given: Given, context: Context): Promise<readonly string[]> {
  const all = given.has("all-mine");
  if (all === given.positionals.length > 0) {
    throw new UsageError(all ? "give ids or --all-mine, not both" : "give the ids to cancel, or --all-mine");
  }
  if (!all) {
    if (given.all("state").length > 0) throw new UsageError("--state goes with --all-mine");
    return given.positionals;
  }
  const states = given.all("state").length > 0 ? given.all("state") : LIVE;
  const { items } = await pageThrough(async (limit, cursor) => {
    const request = {
      user: userName(context),
      tenant: context.settings.tenant ?? "",
      state: states.join(","),
      limit,
      cursor,
    };
    const page = await context.client().allocations.list(request, { signal: context.signal });
    return { items: page.allocations, nextCursor: page.nextCursor };
  });
  // A task goes with its array, unless only some states are asked for.
  const groups = new Set(items.filter((item) => item.taskGroup !== undefined).map((item) => item.allocationId));
  return items.filter((item) => !groups.has(item.taskGroupId)).map(displayId);
}
