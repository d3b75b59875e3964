/** The offline simulator: replays a trace of jobs through the scheduler. Wires this process to it and ends with its exit code. */
import { runReplay } from "../cli/replay/main.ts";
import { processTerminal } from "../cli/terminal.ts";
import { versionLine } from "../config/version.ts";

process.exit(
  await runReplay(process.argv.slice(2), { terminal: processTerminal(true), version: versionLine("rm-replay") }),
);
