/**
 * Runs one command line: finds the command, parses strictly, runs it, and turns whatever
 * ends it into an exit code and a message on standard error. The only place where the
 * CLI decides how it ends.
 */
import { runCommand } from "citty";
import { createClient, type LatticeClient } from "../client/client.ts";
import { FAULTS, LatticeError } from "../core/domain/errors.ts";
import { savedBearer } from "./auth/bearer.ts";
import type { Context } from "./context.ts";
import { EXIT, exitCodeOf } from "./exit-codes.ts";
import { reportError, reportFault } from "./failure.ts";
import type { Command, Group } from "./grammar/command.ts";
import { toCitty } from "./grammar/command.ts";
import type { Given } from "./grammar/given.ts";
import { findCommand, parseWords } from "./grammar/parse.ts";
import { UsageError } from "./grammar/usage-error.ts";
import { commandHelp, groupHelp } from "./help.ts";
import { GLOBAL_FLAGS, readUserFile, type Settings, settingsFrom } from "./settings.ts";
import { OutputClosed, processTerminal, type Terminal } from "./terminal.ts";
import { loginName } from "./user-name.ts";

/** What the CLI is run with; tests give their own. */
export interface CliHost {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly directory: string;
  readonly version: string;
  readonly terminal: (wantsColour: boolean) => Terminal;
  readonly client: (settings: Settings) => LatticeClient;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

const HELP_WIDTH_MAX = 100;

/** Runs `words` as a command of `program`; returns the exit code. */
export async function runCli(program: Group, words: readonly string[], host: CliHost): Promise<number> {
  const terminal = host.terminal(!words.includes("--no-color"));
  try {
    return await dispatch(program, words, { host, terminal });
  } catch (thrown) {
    return reportFailure(thrown, terminal, host.signal);
  }
}

/** Returns the host of this process. */
export function processHost(version: string, signal: AbortSignal): CliHost {
  return {
    env: process.env,
    directory: process.cwd(),
    version,
    terminal: processTerminal,
    client: ({ endpoints, token, tls, timeoutMs, isStale }) =>
      createClient({
        endpoints,
        timeoutMs,
        isStale,
        ...(tls && { tls }),
        token: token ?? savedBearer(endpoints),
        ...userOf(),
      }),
    now: Date.now,
    signal,
  };
}

interface Surroundings {
  readonly host: CliHost;
  readonly terminal: Terminal;
}

async function dispatch(program: Group, words: readonly string[], { host, terminal }: Surroundings): Promise<number> {
  const style = {
    width: Math.min(HELP_WIDTH_MAX, terminal.columns ?? 80),
    hasColour: terminal.hasColour,
    globals: GLOBAL_FLAGS,
  };
  if (words[0] === "--version" || words[0] === "-V") {
    terminal.out(`lattice ${host.version}\n`);
    return EXIT.ok;
  }
  const { entry, path, rest, wantsHelp } = findCommand(program, words, GLOBAL_FLAGS);
  if (entry.kind === "group") {
    const help = groupHelp(entry, path, style);
    if (wantsHelp || (words.length === 0 && terminal.columns !== undefined)) {
      terminal.out(help);
      return EXIT.ok;
    }
    throw new UsageError("the command is missing", `see: ${["lattice", ...path].join(" ")} --help`);
  }
  const command = await entry.load();
  if (wantsHelp) {
    terminal.out(commandHelp(command, style));
    return EXIT.ok;
  }
  const given = parseWords(command, rest, GLOBAL_FLAGS);
  return runParsed(command, given, await contextOf(given, { host, terminal }));
}

async function contextOf(given: Given, { host, terminal }: Surroundings): Promise<Context> {
  const settings = settingsFrom(given, host.env, await readUserFile(host.env));
  let client: LatticeClient | undefined;
  return {
    settings,
    terminal,
    client: () => {
      client ??= host.client(settings);
      return client;
    },
    signal: host.signal,
    now: host.now,
    directory: host.directory,
  };
}

async function runParsed(command: Command, given: Given, context: Context): Promise<number> {
  const { result } = await runCommand(toCitty(command, { given, context }), { rawArgs: [] });
  return typeof result === "number" ? result : EXIT.ok;
}

function reportFailure(thrown: unknown, terminal: Terminal, signal: AbortSignal): number {
  if (thrown instanceof OutputClosed) return EXIT.ok;
  if (signal.aborted) return EXIT.interrupted;
  if (thrown instanceof UsageError) {
    reportError(terminal, thrown.message, thrown.next);
    return EXIT.usage;
  }
  if (thrown instanceof LatticeError) {
    reportFault(terminal, thrown.fault);
    return exitCodeOf(thrown.fault);
  }
  reportError(
    terminal,
    thrown instanceof Error ? thrown.message : String(thrown),
    "this is a bug in lattice: report it",
  );
  return FAULTS.INTERNAL.exit;
}

/** An open server learns who submits from the login name, having no token to learn it from. */
function userOf(): { readonly user?: string } {
  const user = loginName();
  return user === "" ? {} : { user };
}
