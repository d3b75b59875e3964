/** `lattice logs`: the output of an allocation, as it was or as it comes. */

import { EXIT } from "../exit-codes.ts";
import type { Command } from "../grammar/command.ts";
import { wholeNumber } from "../grammar/parse.ts";
import { UsageError } from "../grammar/usage-error.ts";
import { followOutput } from "../output.ts";

/** `lattice logs`. */
export const logs: Command = {
  kind: "command",
  name: "logs",
  summary: "Show the output of an allocation",
  details: [
    "Standard output goes to standard output and standard error to standard error, unless only one is asked for.",
  ],
  positionals: [
    { name: "id", description: "The allocation, or ARRAY_INDEX for a task", isRequired: true, completes: "allocation" },
  ],
  flags: {
    follow: { type: "boolean", alias: "f", description: "Go on until the allocation ends" },
    stdout: { type: "boolean", description: "Only standard output" },
    stderr: { type: "boolean", description: "Only standard error" },
    node: { type: "string", alias: "n", valueHint: "NODE", completes: "node", description: "Only of this node" },
    tail: { type: "string", valueHint: "N", check: wholeNumber(), description: "Begin N lines before the end" },
    attempt: { type: "string", valueHint: "N", check: wholeNumber(1), description: "Of this run, not the latest" },
    label: { type: "boolean", alias: "l", description: "Put the node before every line" },
  },
  examples: [
    ["lattice logs -f 12", "what 12 prints, until it ends"],
    ["lattice logs 12 --stderr --tail 20", "the last 20 lines of its standard error"],
  ],
  run: async (given, context) => {
    if (given.has("stdout") && given.has("stderr")) throw new UsageError("--stdout and --stderr exclude each other");
    const selection = {
      id: given.first() ?? "",
      stream: given.has("stdout") ? 1 : given.has("stderr") ? 2 : 0,
      node: given.text("node") ?? "",
      isFollowing: given.has("follow"),
      tailLines: given.number("tail") ?? 0,
      attempt: given.number("attempt") ?? 0,
    } as const;
    const only = given.has("stderr")
      ? { ...context, terminal: { ...context.terminal, err: context.terminal.out } }
      : context;
    await followOutput(only, selection, given.has("label"));
    return EXIT.ok;
  },
};
