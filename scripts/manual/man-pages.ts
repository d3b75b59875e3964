/**
 * The manual pages of the four programs, made from the definitions that parse their command
 * lines, so that a page cannot say what a program does not take. `bun run release` puts them into
 * tarballs and packages; `bun scripts/manual/man-pages.ts FOLDER` writes them for a look.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "../../src/cli/grammar/command.ts";
import type { Flag } from "../../src/cli/grammar/flag.ts";
import { flagText, usageLine } from "../../src/cli/help.ts";
import { PROGRAM } from "../../src/cli/program.ts";
import { REPLAY_COMMAND, REPLAY_FLAGS } from "../../src/cli/replay/flags.ts";
import { GLOBAL_FLAGS } from "../../src/cli/settings.ts";
import { walk } from "../../src/cli/walk.ts";
import { AGENT_FLAGS } from "../../src/config/agent-flags.ts";
import type { FlagSpecs } from "../../src/config/flags.ts";
import { CHECK_FLAGS, RESTORE_FLAGS, SERVER_FLAGS } from "../../src/config/server-flags.ts";
import { FAULTS } from "../../src/core/domain/errors.ts";
import { version } from "../binaries.ts";

/** A page: where it goes below /usr/share/man, and its text. */
export interface ManPage {
  readonly file: string;
  readonly text: string;
}

/** What a flag is on a page. */
type Entry = readonly [label: string, meaning: string];

/** Returns the pages of a program. */
export async function manPages(program: string): Promise<readonly ManPage[]> {
  switch (program) {
    case "lattice":
      return [await toolPage()];
    case "rm-replay":
      return [replayPage()];
    case "lattice-server":
      return [serverPage()];
    default:
      return [agentPage()];
  }
}

/** How a server or an agent ends. */
const EXIT_STATUS: readonly Entry[] = [
  [String(0), "stopped by a signal"],
  [String(FAULTS.INTERNAL.exit), "the machine or the data: a port, the disk, the log; starting again may help"],
  [String(FAULTS.INVALID_CONFIG.exit), "flags, configuration or certificates cannot be used"],
  [String(FAULTS.SERVER_UNREACHABLE.exit), "Vault is away"],
];

async function toolPage(): Promise<ManPage> {
  const places = await walk(PROGRAM);
  const commands = places.flatMap((place) => (place.kind === "command" ? [place.command] : []));
  return page({ name: "lattice", section: 1, summary: PROGRAM.summary }, [
    ...section("SYNOPSIS", [".B lattice", ".I command", "[flags]"]),
    ...section("FLAGS OF EVERY COMMAND", entries(flagEntries(GLOBAL_FLAGS))),
    ".SH COMMANDS",
    ...commands.flatMap(commandPart),
    ...section("FILES", entries([["~/.config/lattice/config.toml", "server, tenant, vcluster, output and timeout"]])),
    ...section("SEE ALSO", [".BR lattice-server (8),", ".BR lattice-agent (8),", ".BR rm-replay (1)"]),
  ]);
}

function commandPart(command: Command): readonly string[] {
  const { summary, details = [], flags = {}, examples = [] } = command;
  return [
    `.SS ${quoted(usageLine(command))}`,
    `${escaped(summary)}.`,
    ...details.flatMap((paragraph) => [".PP", escaped(paragraph)]),
    ...entries(flagEntries(flags)),
    ...entries(examples),
  ];
}

const replayPage = (): ManPage =>
  page({ name: "rm-replay", section: 1, summary: REPLAY_COMMAND.summary }, [
    ...section("SYNOPSIS", [".B rm-replay", "[flags]"]),
    ...section("FLAGS", entries(flagEntries(REPLAY_FLAGS))),
    ...section("SEE ALSO", [".BR lattice (1)"]),
  ]);

const serverPage = (): ManPage =>
  page({ name: "lattice-server", section: 8, summary: "one member of a Lattice control plane" }, [
    ...section("SYNOPSIS", [
      ".B lattice-server\n[flags]\n.br",
      ".B lattice-server config check\n[\\-\\-config FILE]\n.br",
      ".B lattice-server restore\n\\-\\-from FILE [flags]",
    ]),
    ...section("FLAGS", entries(specEntries(SERVER_FLAGS))),
    ...section("CONFIG CHECK", entries(specEntries(CHECK_FLAGS))),
    ...section("RESTORE", entries(specEntries(RESTORE_FLAGS))),
    ...section("ENVIRONMENT", [escaped("Every key of the configuration can be set by LATTICE_<SECTION>_<KEY>.")]),
    ...section(
      "SIGNALS",
      entries([
        ["SIGTERM, SIGINT", "ends requests, hands over, writes the state, and stops"],
        ["SIGHUP", "reads the configuration and the certificates anew"],
      ]),
    ),
    ...section("EXIT STATUS", entries(EXIT_STATUS)),
    ...section("FILES", entries([["/etc/lattice/config.yaml", "the configuration, when --config names no other"]])),
    ...section("SEE ALSO", [".BR lattice (1),", ".BR lattice-agent (8)"]),
  ]);

const agentPage = (): ManPage =>
  page({ name: "lattice-agent", section: 8, summary: "runs the work of one compute node" }, [
    ...section("SYNOPSIS", [".B lattice-agent", "[flags]"]),
    ...section("FLAGS", entries(specEntries(AGENT_FLAGS))),
    ...section("ENVIRONMENT", [
      escaped("Each flag can be set as a variable: --node-id as LATTICE_NODE_ID, and so on."),
      escaped("LATTICE_AGENT_TOKEN is the token that the agent shows to the servers."),
    ]),
    ...section(
      "SIGNALS",
      entries([["SIGTERM, SIGINT", "stops the agent; work goes on, and the next agent adopts it"]]),
    ),
    ...section("EXIT STATUS", entries(EXIT_STATUS)),
    ...section("SEE ALSO", [".BR lattice (1),", ".BR lattice-server (8)"]),
  ]);

interface PageHead {
  readonly name: string;
  readonly section: number;
  readonly summary: string;
}

function page({ name, section: number, summary }: PageHead, body: readonly string[]): ManPage {
  const said = summary.replace(/\.$/, "");
  const head = [
    `.TH ${name.toUpperCase()} ${number} "" ${quoted(`Lattice ${version()}`)} "Lattice"`,
    ".SH NAME",
    `${name} \\- ${escaped(said)}`,
  ];
  return { file: `man${number}/${name}.${number}`, text: `${[...head, ...body].join("\n")}\n` };
}

const section = (title: string, lines: readonly string[]): readonly string[] => [`.SH ${quoted(title)}`, ...lines];

const entries = (all: readonly Entry[]): readonly string[] =>
  all.flatMap(([label, meaning]) => [".TP", `.B ${escaped(label)}`, escaped(meaning)]);

const flagEntries = (flags: Readonly<Record<string, Flag>>): readonly Entry[] =>
  Object.entries(flags).map(([name, flag]) => {
    const value = flag.type === "string" ? ` ${flag.valueHint}` : "";
    return [`${flag.alias === undefined ? "" : `-${flag.alias}, `}--${name}${value}`, flagText(flag)];
  });

const specEntries = (specs: FlagSpecs): readonly Entry[] =>
  Object.entries(specs).map(([name, { short, value, meaning }]) => {
    const letter = short === undefined ? "" : `-${short}, `;
    return [`${letter}--${name}${value === undefined ? "" : ` ${value}`}`, meaning];
  });

/** A dash is one that can be copied; a line may not begin with what troff takes for a request. */
const escaped = (text: string): string =>
  text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^([.'])/gm, "\\&$1");

const quoted = (text: string): string => `"${escaped(text).replaceAll('"', "\\(dq")}"`;

if (import.meta.main) {
  const [folder = "man"] = process.argv.slice(2);
  for (const program of ["lattice", "lattice-server", "lattice-agent", "rm-replay"]) {
    for (const { file, text } of await manPages(program)) {
      const to = join(folder, file);
      mkdirSync(join(to, ".."), { recursive: true });
      writeFileSync(to, text);
      console.log(to);
    }
  }
}
