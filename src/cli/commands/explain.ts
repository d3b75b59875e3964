/** `lattice explain`: why an allocation waits, and what would have to change. */
import { millis } from "../../base/brand.ts";
import { pairs, wrap } from "../../base/columns.ts";
import type { ExplainResponse } from "../../client/messages.ts";
import { timestampFromProto } from "../../wire/timestamp.ts";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../grammar/command.ts";
import { type Palette, painterOf, paletteOf } from "../render/colour.ts";
import { printOne } from "../render/print.ts";
import { printable } from "../render/table.ts";
import { moment } from "../render/text.ts";

/** `lattice explain`. */
export const explain: Command = {
  kind: "command",
  name: "explain",
  summary: "Say why an allocation waits",
  positionals: [{ name: "id", description: "The allocation", isRequired: true, completes: "allocation" }],
  examples: [["lattice explain 12", "every reason why 12 waits, and what would let it start"]],
  run: async (given, context) => {
    const id = given.first() ?? "";
    const answer = await context.client().allocations.explain({ allocationId: id }, { signal: context.signal });
    const { hasColour, columns } = context.terminal;
    const shown = answer.shortId > 0n ? String(answer.shortId) : answer.allocationId;
    await printOne(context, answer, {
      id: shown,
      text: () => explanation(answer, shown, { width: columns ?? 80, palette: paletteOf(hasColour) }),
    });
    return EXIT.ok;
  },
};

function explanation(
  answer: ExplainResponse,
  id: string,
  { width, palette }: { readonly width: number; readonly palette: Palette },
): string {
  const { state, reasons, position } = answer;
  const queue = position === 0 ? "" : `, number ${position} in the queue`;
  const lines = [`Allocation ${id} is ${painterOf(state, palette)(state)}${queue}.`];
  if (state !== "pending") return `${lines[0]}\n`;
  if (reasons.length === 0) lines.push("", ...wrap("Nothing holds it back: it starts with the next pass.", width));
  for (const { code, message, change } of reasons) {
    lines.push("", ...pairs([[code, printable(inLocalTime(message))]], width));
    if (change !== "") lines.push(...wrap(`To change: ${printable(change)}`, width, "    "));
  }
  if (answer.startsBy !== undefined) lines.push("", ...pairs(startLines(answer), width));
  return `${lines.join("\n")}\n`;
}

/** Writes the moments in a sentence as all others here are written. */
const inLocalTime = (text: string): string =>
  text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, (iso) => moment(millis(Date.parse(iso))));

const at = (stamp: ExplainResponse["startsBy"]): string => (stamp ? moment(timestampFromProto(stamp)) : "");

/** When it starts; what is only reckoned is said to be. */
function startLines(answer: ExplainResponse): readonly (readonly [string, string])[] {
  const by = `${at(answer.startsBy)}, ${answer.startPromised ? "promised" : "if all that is ahead lasts its walltime"}`;
  const more: (readonly [string, string])[] = [];
  if (answer.startsLikely) more.push(["Likely", at(answer.startsLikely)]);
  if (answer.startsEarliest) more.push(["Earliest", at(answer.startsEarliest)]);
  return [["Starts by", by], ...more];
}
