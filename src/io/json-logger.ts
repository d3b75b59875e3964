/** The logger port as JSON lines: time, level, message, then the fields. */
import type { LogFields, Logger, LogLevel } from "../ports/log.ts";

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Returns a logger that hands lines of `least` and above to `write`, each with its line end. A function says anew for each line what is least. */
export function createJsonLogger(
  write: (line: string) => void,
  least: LogLevel | (() => LogLevel),
  context: LogFields = {},
): Logger {
  const log = (level: LogLevel, message: string, fields: LogFields = {}) => {
    if (RANK[level] < RANK[typeof least === "function" ? least() : least]) return;
    const line = { time: new Date().toISOString(), level, message, ...context, ...renderErrors(fields) };
    write(`${JSON.stringify(line)}\n`);
  };
  return {
    debug: (message, fields) => log("debug", message, fields),
    info: (message, fields) => log("info", message, fields),
    warn: (message, fields) => log("warn", message, fields),
    error: (message, fields) => log("error", message, fields),
    with: (fields) => createJsonLogger(write, least, { ...context, ...fields }),
  };
}

/** An Error has no enumerable fields: its text and stack are written out. */
function renderErrors(fields: LogFields): LogFields {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      value instanceof Error ? (value.stack ?? value.message) : value,
    ]),
  );
}
