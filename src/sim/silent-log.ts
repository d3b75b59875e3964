/** A log that nobody reads: what a simulation shows is its trace. */
import type { Logger } from "../ports/log.ts";

/** Drops every line. */
export const SILENT_LOG: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  with: () => SILENT_LOG,
};
