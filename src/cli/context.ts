/** What a command is run with: settings, the terminal, a client made on demand, and the signal of Ctrl-C. */
import type { LatticeClient } from "../client/client.ts";
import type { Settings } from "./settings.ts";
import type { Terminal } from "./terminal.ts";

/** The world of one command. */
export interface Context {
  readonly settings: Settings;
  readonly terminal: Terminal;
  /** Makes the client at the first call. */
  readonly client: () => LatticeClient;
  /** Aborts at Ctrl-C. */
  readonly signal: AbortSignal;
  /** Since the Unix epoch, in milliseconds. */
  readonly now: () => number;
  /** Where relative paths of the user begin. */
  readonly directory: string;
}
