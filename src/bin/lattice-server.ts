/** Entry of the server: the command line in, one of its commands done, an exit code out. */
import { renderConfigCheck } from "../config/check.ts";
import { usableConfig } from "../config/load.ts";
import type { LogLevel } from "../config/server-config.ts";
import { parseServerFlags } from "../config/server-flags.ts";
import { versionLine } from "../config/version.ts";
import { FAULTS, LatticeError, nextStep } from "../core/domain/errors.ts";
import { createJsonLogger } from "../io/json-logger.ts";
import { restoreFrom } from "./server-backups.ts";
import { configSource } from "./server-config-source.ts";
import { runServer } from "./server-run.ts";

/** What is written, state and log above all, holds what users gave: nobody else on this machine reads it. */
const HIDDEN_FROM_OTHERS = 0o027;

try {
  process.umask(process.umask() | HIDDEN_FROM_OTHERS);
  const command = parseServerFlags(process.argv.slice(2));
  if (command.kind === "help") {
    process.stdout.write(command.text);
  } else if (command.kind === "version") {
    process.stdout.write(`${versionLine("lattice-server")}\n`);
  } else {
    const overrides = command.kind === "config-check" ? [] : command.overrides;
    let level: LogLevel = "info";
    const log = createJsonLogger(
      (line) => process.stderr.write(line),
      () => level,
    );
    const read = configSource({ path: command.path, env: process.env, overrides }, log);
    const reading = await read();
    if (command.kind === "config-check") {
      const { text, isUsable } = renderConfigCheck(reading);
      process.stdout.write(text);
      process.exit(isUsable ? 0 : FAULTS.INVALID_CONFIG.exit);
    }
    const { config, inactive, warnings } = usableConfig(reading);
    level = config.log.level;
    if (command.kind === "restore") {
      process.stdout.write(await restoreFrom(command.from, config));
      process.exit(0);
    }
    for (const warning of warnings) log.warn(warning);
    if (inactive.length > 0) log.warn("configured but not active in this build", { keys: inactive });
    await runServer(config, log, {
      reread: async () => usableConfig(await read()),
      setLogLevel: (wanted) => {
        level = wanted;
      },
    });
  }
} catch (error) {
  if (!(error instanceof LatticeError)) throw error;
  process.stderr.write(`lattice-server: ${error.fault.message}\n  ${nextStep(error.fault)}\n`);
  process.exit(FAULTS[error.fault.reason].exit);
}
