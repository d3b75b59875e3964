/** `lattice whoami`: whom the server takes the caller for. */

import { pairs } from "../../base/columns.ts";
import { savedBearer } from "../auth/bearer.ts";
import { askWhoAmI } from "../auth/server-auth.ts";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../grammar/command.ts";
import { isData, printData } from "../render/print.ts";
import { printable } from "../render/table.ts";
import { moment } from "../render/text.ts";

/** `lattice whoami`. */
export const whoami: Command = {
  kind: "command",
  name: "whoami",
  summary: "Show whom the server takes you for",
  examples: [["lattice whoami -q", "print the user name only"]],
  run: async (_, context) => {
    const { settings, terminal } = context;
    const token = settings.token ?? (await savedBearer(settings.endpoints)());
    const { user, role, tenant, node, validUntil } = await askWhoAmI(context, token);
    const until = validUntil === undefined ? undefined : new Date(validUntil).toISOString();
    if (settings.isQuiet) terminal.out(`${user}\n`);
    else if (isData(context)) await printData(context, { user, role, tenant, node, valid_until: until ?? null });
    else {
      const rows: (readonly [string, string])[] = [
        ["User", user],
        ["Role", role],
        ["Tenant", tenant || "none named"],
        ...(node === "" ? [] : [["Node", node] as const]),
        ["Proven by", sourceOf(settings.token !== undefined, token !== undefined)],
        ...(validUntil === undefined ? [] : [["Until", moment(validUntil)] as const]),
      ];
      const shown = rows.map(([name, text]) => [name, printable(text)] as const);
      terminal.out(`${pairs(shown, terminal.columns ?? 80, "").join("\n")}\n`);
    }
    return EXIT.ok;
  },
};

function sourceOf(isGiven: boolean, hasToken: boolean): string {
  if (isGiven) return "the token given";
  return hasToken ? "a login" : "nothing: the server asks nobody";
}
