/** `lattice status`: the live allocations, or everything about one. */
import type { AllocationStatus } from "../../client/messages.ts";
import { ALLOCATION_STATES } from "../../core/domain/lifecycle.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { sleep } from "../follow.ts";
import type { Command } from "../grammar/command.ts";
import type { Given } from "../grammar/given.ts";
import { wholeNumber } from "../grammar/parse.ts";
import { UsageError } from "../grammar/usage-error.ts";
import { pageThrough } from "../page-through.ts";
import { allocationDetail } from "../render/allocation-detail.ts";
import { allocationColumns, allocationWideColumns } from "../render/allocation-table.ts";
import { displayId, hasEnded } from "../render/allocation-text.ts";
import { paletteOf } from "../render/colour.ts";
import { printList, printOne } from "../render/print.ts";
import { userName } from "../user-name.ts";

const LIVE = ALLOCATION_STATES.filter((state) => !hasEnded(state));
const HISTORY_LENGTH = 100;
const REDRAW_MS = 2_000;

/** `lattice status`. */
export const status: Command = {
  kind: "command",
  name: "status",
  summary: "Show allocations that wait or run, or everything about one",
  details: [
    "Without an id, lists what waits or runs, oldest first. Tasks of an array that wait or have ended are summed up in the row of their array.",
  ],
  positionals: [
    { name: "id", description: "Number, ARRAY_INDEX, or at least 6 characters of the UUID", completes: "allocation" },
  ],
  flags: {
    state: {
      type: "string",
      valueHint: "STATE",
      isRepeated: true,
      choices: ALLOCATION_STATES,
      description: "Only in this state",
    },
    user: { type: "string", alias: "u", valueHint: "NAME", description: "Only of this user" },
    mine: { type: "boolean", description: "Only of yours" },
    name: { type: "string", valueHint: "NAME", description: "Only with this name" },
    all: { type: "boolean", alias: "a", description: "Also what has ended" },
    tasks: { type: "boolean", description: "Every task of an array in a row of its own" },
    limit: {
      type: "string",
      valueHint: "N",
      check: wholeNumber(1),
      description: `Show the newest N (unless set, all that live, ${HISTORY_LENGTH} with --all)`,
    },
    watch: { type: "boolean", alias: "w", description: "Draw again every two seconds until Ctrl-C" },
  },
  examples: [
    ["lattice status --mine", "what of yours waits or runs"],
    ["lattice status 12", "everything about allocation 12"],
    ["lattice status --all --state failed -o json", "what failed lately, for programs"],
  ],
  run: async (given, context) => {
    const id = given.first();
    const show = () => (id === undefined || given.has("tasks") ? showList(given, context) : showOne(id, context));
    await show();
    while (given.has("watch") && !context.signal.aborted) {
      await sleep(REDRAW_MS, context.signal);
      if (context.signal.aborted) return EXIT.interrupted;
      context.terminal.clear();
      await show();
    }
    return EXIT.ok;
  },
};

async function showOne(id: string, context: Context): Promise<void> {
  const one = await context.client().allocations.get({ allocationId: id }, { signal: context.signal });
  const { hasColour, columns } = context.terminal;
  const style = { now: context.now(), width: columns ?? 80, palette: paletteOf(hasColour) };
  await printOne(context, one, { id: displayId(one), text: () => allocationDetail(one, style) });
}

async function showList(given: Given, context: Context): Promise<void> {
  const states = wantedStates(given);
  const wantsEnded = states.some(hasEnded);
  const limit = given.number("limit") ?? (wantsEnded ? HISTORY_LENGTH : undefined);
  const filter = {
    tenant: context.settings.tenant ?? "",
    vcluster: context.settings.vcluster ?? "",
    user: userFilter(given, context),
    name: given.text("name") ?? "",
    taskGroupId: given.first() ?? "",
    state: states.join(","),
  };
  const { items, isComplete } = await pageThrough(async (pageSize, cursor) => {
    const request = { ...filter, limit: pageSize, cursor };
    const page = await context.client().allocations.list(request, { signal: context.signal });
    return { items: page.allocations, nextCursor: page.nextCursor };
  }, limit);
  const rows = items.filter((row) => given.has("tasks") || !isSummedUp(row)).toReversed();
  const columns = allocationColumns(context.now(), paletteOf(context.terminal.hasColour));
  const empty = wantsEnded ? "no allocations" : "nothing waits or runs (what has ended: lattice status --all)";
  await printList(context, { rows, idOf: displayId, columns, wide: allocationWideColumns(), empty });
  if (!isComplete) context.terminal.err(`only the newest ${items.length} are shown, more with --limit\n`);
}

function wantedStates(given: Given): readonly string[] {
  const named = given.all("state");
  if (named.length > 0) return named;
  return given.has("all") || given.has("tasks") ? ALLOCATION_STATES : LIVE;
}

function userFilter(given: Given, context: Context): string {
  const user = given.text("user");
  if (user !== undefined && given.has("mine")) throw new UsageError("--user and --mine exclude each other");
  return given.has("mine") ? userName(context) : (user ?? "");
}

const isSummedUp = (row: AllocationStatus): boolean =>
  row.taskIndex !== undefined && (row.state === "pending" || hasEnded(row.state));
