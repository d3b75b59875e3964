/** Entry of the server: the command line in, one of its commands done, an exit code out. */
import { renderConfigCheck } from "../config/check.ts";
import { loadConfig, readConfig } from "../config/load.ts";
import { parseServerFlags } from "../config/server-flags.ts";
import { versionLine } from "../config/version.ts";
import { FAULTS, LatticeError, nextStep } from "../core/domain/errors.ts";
import { createJsonLogger } from "../io/json-logger.ts";
import { restoreFrom } from "./server-backups.ts";
import { runServer } from "./server-run.ts";

try {
  const command = parseServerFlags(process.argv.slice(2));
  if (command.kind === "help") {
    process.stdout.write(command.text);
  } else if (command.kind === "version") {
    process.stdout.write(`${versionLine("lattice-server")}\n`);
  } else if (command.kind === "config-check") {
    const { text, isUsable } = renderConfigCheck(readConfig({ path: command.path, env: process.env }));
    process.stdout.write(text);
    if (!isUsable) process.exit(FAULTS.INVALID_CONFIG.exit);
  } else {
    const { config, inactive, warnings } = loadConfig(command.path, process.env, command.overrides);
    let { level } = config.log;
    const log = createJsonLogger(
      (line) => process.stderr.write(line),
      () => level,
    );
    if (command.kind === "restore") {
      process.stdout.write(await restoreFrom(command.from, config));
      process.exit(0);
    }
    for (const warning of warnings) log.warn(warning);
    if (inactive.length > 0) log.warn("configured but not active in this build", { keys: inactive });
    await runServer(config, log, {
      reread: () => loadConfig(command.path, process.env, command.overrides),
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
