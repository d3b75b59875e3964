/** `lattice completions`: the completion script of a shell. */

import { completionScript, SHELLS } from "../completion-scripts.ts";
import { EXIT } from "../exit-codes.ts";
import type { Command, Group } from "../grammar/command.ts";
import { GLOBAL_FLAGS } from "../settings.ts";
import { walk } from "../walk.ts";

/** Returns the command that prints the completions of `program`. */
export const completionsCommand = (program: Group): Command => ({
  kind: "command",
  name: "completions",
  summary: "Print the completions of a shell",
  positionals: [{ name: "shell", description: SHELLS.join(", "), isRequired: true, choices: SHELLS }],
  examples: [
    ["source <(lattice completions bash)", "for this shell; put it into ~/.bashrc for all"],
    ["lattice completions fish | source", "the same for fish"],
  ],
  run: async (given, context) => {
    const shell = SHELLS.find((name) => name === given.first());
    if (shell !== undefined) context.terminal.out(completionScript(shell, await walk(program), GLOBAL_FLAGS));
    return EXIT.ok;
  },
});
