/** Runs `rm-replay`: reads its command line strictly and turns whatever ends it into an exit code and a message. */

import { pairs, wrap } from "../../base/columns.ts";
import { FAULTS, LatticeError } from "../../core/domain/errors.ts";
import { EXIT, exitCodeOf } from "../exit-codes.ts";
import { reportError, reportFault } from "../failure.ts";
import { parseWords } from "../grammar/parse.ts";
import { UsageError } from "../grammar/usage-error.ts";
import { flagName, flagText } from "../help.ts";
import { OutputClosed, type Terminal } from "../terminal.ts";
import { compareReplays } from "./compare.ts";
import { REPLAY_COMMAND, REPLAY_FLAGS } from "./flags.ts";
import { replayTrace } from "./run.ts";

/** Runs the words of a command line; returns the exit code. */
export async function runReplay(
  words: readonly string[],
  { terminal, version }: { readonly terminal: Terminal; readonly version: string },
): Promise<number> {
  try {
    if (words.includes("--version") || words.includes("-V")) terminal.out(`${version}\n`);
    else if (words.length === 0 || words.includes("--help") || words.includes("-h")) terminal.out(help(terminal));
    else if (words[0] === "compare") await compareReplays(words.slice(1), terminal);
    else await replayTrace(parseWords(REPLAY_COMMAND, words, {}), terminal);
    return EXIT.ok;
  } catch (thrown) {
    return report(thrown, terminal);
  }
}

function report(thrown: unknown, terminal: Terminal): number {
  if (thrown instanceof OutputClosed) return EXIT.ok;
  if (thrown instanceof UsageError) {
    reportError(terminal, thrown.message, thrown.next?.replace("lattice rm-replay", "rm-replay"));
    return EXIT.usage;
  }
  if (thrown instanceof LatticeError) {
    reportFault(terminal, thrown.fault);
    return exitCodeOf(thrown.fault);
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  reportError(terminal, message, "this is a bug in rm-replay: report it");
  return FAULTS.INTERNAL.exit;
}

const HELP_WIDTH_MAX = 100;

function help({ columns }: Terminal): string {
  const width = Math.min(HELP_WIDTH_MAX, columns ?? 80);
  const flags = Object.entries(REPLAY_FLAGS).map(([name, flag]) => [flagName(name, flag), flagText(flag)] as const);
  return [
    ...wrap(REPLAY_COMMAND.summary, width),
    "",
    "Usage:",
    "  rm-replay --input FILE [flags]",
    "  rm-replay compare A.json B.json",
    "",
    "Flags:",
    ...pairs([...flags, ["-h, --help", "Say this"], ["-V, --version", "Print the version"]], width),
    "",
  ].join("\n");
}
