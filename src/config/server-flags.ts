/** The command line of lattice-server: its flags, its one command, its help. */

import { nearest } from "../base/nearest.ts";
import { LatticeError } from "../core/domain/errors.ts";
import type { Override } from "./environment.ts";
import { type FlagSpecs, type Flags, parseFlags, renderFlags } from "./flags.ts";

/** The flags, in the order of the help. */
export const SERVER_FLAGS: FlagSpecs = {
  config: {
    short: "c",
    value: "FILE",
    meaning: "configuration file (default: /etc/lattice/config.yaml, if it exists)",
  },
  "grpc-addr": { value: "HOST:PORT", meaning: "where gRPC and Connect listen (api.grpc_address)" },
  "rest-addr": { value: "HOST:PORT", meaning: "where REST and Connect listen (api.rest_address)" },
  "data-dir": { value: "FOLDER", meaning: "where the log and the state are kept (quorum.data_dir)" },
  bootstrap: { meaning: "start a cluster on an empty data directory" },
  "log-level": { value: "LEVEL", meaning: "debug, info, warn or error (log.level)" },
  version: { short: "V", meaning: "print the version and leave" },
  help: { short: "h", meaning: "print this help and leave" },
};

/** The flags of `lattice-server restore`. */
export const RESTORE_FLAGS: FlagSpecs = {
  from: { value: "FILE", meaning: "the backup, a file of any name" },
  "data-dir": { value: "FOLDER", meaning: "where the log and the state go (quorum.data_dir)" },
  config: {
    short: "c",
    value: "FILE",
    meaning: "configuration file (default: /etc/lattice/config.yaml, if it exists)",
  },
  help: { short: "h", meaning: "print this help and leave" },
};

/** The flags of `lattice-server config check`. */
export const CHECK_FLAGS: FlagSpecs = {
  config: {
    short: "c",
    value: "FILE",
    meaning: "configuration file (default: /etc/lattice/config.yaml, if it exists)",
  },
  help: { short: "h", meaning: "print this help and leave" },
};

/** What the command line asks for. */
export type ServerCommand =
  | { readonly kind: "serve"; readonly path: string | undefined; readonly overrides: readonly Override[] }
  | {
      readonly kind: "restore";
      readonly path: string | undefined;
      readonly overrides: readonly Override[];
      /** The backup file. */
      readonly from: string;
    }
  | { readonly kind: "config-check"; readonly path: string | undefined }
  | { readonly kind: "version" }
  | { readonly kind: "help"; readonly text: string };

/**
 * Returns what `argv`, without the program's name, asks for.
 *
 * @throws INVALID_FLAGS with every problem, one a line.
 */
export function parseServerFlags(argv: readonly string[]): ServerCommand {
  if (argv[0] === "config") return parseConfigCommand(argv.slice(1));
  if (argv[0] === "restore") return parseRestoreCommand(argv.slice(1));
  if (argv[0] !== undefined && !argv[0].startsWith("-")) {
    const guess = nearest(argv[0], ["config", "restore"])?.replace("config", "config check");
    refuse(
      `unknown command ${JSON.stringify(argv[0])}; ${guess === undefined ? "the commands are config check and restore" : `nearest: ${guess}`}`,
    );
  }
  const flags = parseFlags(SERVER_FLAGS, argv);
  if (flags.switches.has("help")) return { kind: "help", text: help() };
  if (flags.switches.has("version")) return { kind: "version" };
  return { kind: "serve", path: flags.values.get("config"), overrides: overridesOf(flags) };
}

function parseConfigCommand(argv: readonly string[]): ServerCommand {
  const flags = parseFlags(CHECK_FLAGS, argv, 1);
  if (flags.switches.has("help")) return { kind: "help", text: help() };
  const [command] = flags.operands;
  if (command !== "check") refuse(`unknown command config ${command ?? ""}; nearest: config check`);
  return { kind: "config-check", path: flags.values.get("config") };
}

function parseRestoreCommand(argv: readonly string[]): ServerCommand {
  const flags = parseFlags(RESTORE_FLAGS, argv);
  if (flags.switches.has("help")) return { kind: "help", text: help() };
  const from = flags.values.get("from");
  if (from === undefined) refuse("restore needs --from FILE");
  return { kind: "restore", path: flags.values.get("config"), overrides: overridesOf(flags), from };
}

function refuse(message: string): never {
  throw new LatticeError({ reason: "INVALID_FLAGS", message });
}

function overridesOf({ values, switches }: Flags): Override[] {
  const overrides: Override[] = [];
  const add = (flag: string, path: readonly string[]) => {
    const value = values.get(flag);
    if (value !== undefined) overrides.push({ path, value, source: `--${flag}` });
  };
  add("grpc-addr", ["api", "grpc_address"]);
  add("rest-addr", ["api", "rest_address"]);
  add("data-dir", ["quorum", "data_dir"]);
  add("log-level", ["log", "level"]);
  if (switches.has("bootstrap")) overrides.push({ path: ["quorum", "bootstrap"], value: true, source: "--bootstrap" });
  return overrides;
}

const help = (): string => `lattice-server: one member of a Lattice control plane

Usage:
  lattice-server [flags]
  lattice-server config check [--config FILE]
  lattice-server restore --from FILE [--data-dir FOLDER] [--config FILE]

Flags:
${renderFlags(SERVER_FLAGS)}

Every key of the configuration can also be set by LATTICE_<SECTION>_<KEY>.
`;
