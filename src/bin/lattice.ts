/** The command-line tool. Wires this process to the CLI and ends with its exit code. */
import { EXIT } from "../cli/exit-codes.ts";
import { processHost, runCli } from "../cli/main.ts";
import { PROGRAM } from "../cli/program.ts";
import { COMMIT, VERSION } from "../config/version.ts";

const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    // A second one does not wait for anything.
    if (interrupt.signal.aborted) process.exit(EXIT.interrupted);
    interrupt.abort();
  });
}

process.exit(await runCli(PROGRAM, process.argv.slice(2), processHost(`${VERSION} (${COMMIT})`, interrupt.signal)));
