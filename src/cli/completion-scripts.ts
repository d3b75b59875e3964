/**
 * Completion scripts for bash, zsh and fish, generated from the tree of commands. Each
 * script finds the command that the words name, then offers its subcommands, flags,
 * choices, files, or the ids that the cluster knows.
 */
import type { Positional } from "./grammar/command.ts";
import type { Flag, ValueKind } from "./grammar/flag.ts";
import type { Place } from "./walk.ts";

/** The shells that completions can be made for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;
/** One of those shells. */
export type Shell = (typeof SHELLS)[number];

type Flags = Readonly<Record<string, Flag>>;

/** What can stand at one place of the tree. */
interface Spot {
  /** Words of the path joined by spaces; empty at the root. */
  readonly path: string;
  readonly members: readonly (readonly [name: string, summary: string])[];
  readonly flags: Flags;
  readonly positional: Positional | undefined;
}

/** Returns the completion script of a shell. */
export function completionScript(shell: Shell, places: readonly Place[], globals: Flags): string {
  const spots = places.map((place) => spotOf(place, globals));
  switch (shell) {
    case "bash":
      return bashScript(spots);
    case "zsh":
      return zshScript(spots);
    case "fish":
      return fishScript(spots);
  }
}

function spotOf(place: Place, globals: Flags): Spot {
  const path = place.path.join(" ");
  if (place.kind === "group") {
    const members = place.group.members.map(({ name, summary }) => [name, summary] as const);
    return { path, members, flags: globals, positional: undefined };
  }
  const { flags, positionals } = place.command;
  return { path, members: [], flags: { ...globals, ...flags }, positional: positionals?.[0] };
}

const names = (flags: Flags): readonly string[] =>
  Object.entries(flags).flatMap(([name, { alias }]) =>
    alias === undefined ? [`--${name}`] : [`--${name}`, `-${alias}`],
  );

const IDS: Readonly<Partial<Record<ValueKind, string>>> = {
  allocation: "lattice status -q --timeout 2 2>/dev/null",
  node: "lattice nodes -q --timeout 2 2>/dev/null",
};

/** Names of the flags of a spot that take a value, as alternatives of a case pattern. */
const valueFlags = (flags: Flags): string =>
  names(Object.fromEntries(Object.entries(flags).filter(([, flag]) => flag.type === "string"))).join("|");

/** The walk over the words is the same in bash and zsh. */
function pathLoop(spots: readonly Spot[]): readonly string[] {
  const paths = spots.filter(({ path }) => path !== "").map(({ path }) => `"${path}"`);
  return [
    "    for word in $before; do",
    '      if [ -n "$skip" ]; then skip=; continue; fi',
    '      case "$word" in',
    `        ${valueFlags(spots[0]?.flags ?? {})}) skip=1 ;;`,
    "        -*) ;;",
    "        *)",
    `          next="$at\${at:+ }$word"`,
    '          case "$next" in',
    `            ${paths.join("|")}) at="$next" ;;`,
    "          esac ;;",
    "      esac",
    "    done",
  ];
}

type Offer = (words: string, kind: "words" | "files" | "directories" | "command") => string;

function valueOffer(
  flag: { readonly choices?: readonly string[]; readonly completes?: ValueKind },
  offer: Offer,
): string {
  if (flag.choices !== undefined) return offer(flag.choices.join(" "), "words");
  if (flag.completes === "file") return offer("", "files");
  if (flag.completes === "directory") return offer("", "directories");
  const ids = flag.completes === undefined ? undefined : IDS[flag.completes];
  return ids === undefined ? ":" : offer(ids, "command");
}

/** The case over the path, with one case over the flag before the cursor in each. */
function spotCases(spots: readonly Spot[], offer: Offer): readonly string[] {
  return spots.flatMap((spot) => {
    const byFlag = Object.entries(spot.flags).flatMap(([name, flag]) => {
      if (flag.type !== "string") return [];
      return [`          ${names({ [name]: flag }).join("|")}) ${valueOffer(flag, offer)}; return ;;`];
    });
    const words = spot.members.map(([name]) => name).join(" ");
    const other = spot.members.length > 0 ? offer(words, "words") : valueOffer(spot.positional ?? {}, offer);
    return [
      `      "${spot.path}")`,
      '        case "$previous" in',
      ...byFlag,
      "        esac",
      '        case "$current" in',
      `          -*) ${offer([...names(spot.flags), "--help"].join(" "), "words")} ;;`,
      `          *) ${other} ;;`,
      "        esac ;;",
    ];
  });
}

function bashScript(spots: readonly Spot[]): string {
  const offer: Offer = (words, kind) => {
    if (kind === "files") return 'COMPREPLY=($(compgen -f -- "$current"))';
    if (kind === "directories") return 'COMPREPLY=($(compgen -d -- "$current"))';
    const list = kind === "command" ? `$(${words})` : words;
    return `COMPREPLY=($(compgen -W "${list}" -- "$current"))`;
  };
  return [
    "# bash completion of lattice. Load it with: source <(lattice completions bash)",
    "_lattice() {",
    "  local current previous before at='' next word skip=''",
    `  current="\${COMP_WORDS[COMP_CWORD]}"`,
    `  previous="\${COMP_WORDS[COMP_CWORD-1]}"`,
    `  before="\${COMP_WORDS[*]:1:COMP_CWORD-1}"`,
    "  COMPREPLY=()",
    ...pathLoop(spots),
    '    case "$at" in',
    ...spotCases(spots, offer),
    "    esac",
    "}",
    "complete -o default -F _lattice lattice",
    "",
  ].join("\n");
}

function zshScript(spots: readonly Spot[]): string {
  const offer: Offer = (words, kind) => {
    if (kind === "files") return "_files";
    if (kind === "directories") return "_files -/";
    return kind === "command" ? `compadd -- \${(f)"$(${words})"}` : `compadd -- ${words}`;
  };
  return [
    "#compdef lattice",
    "# zsh completion of lattice. Put it as _lattice into a folder of $fpath, or: source <(lattice completions zsh)",
    "_lattice() {",
    "  setopt localoptions shwordsplit",
    "  local current previous before at='' next word skip=''",
    `  current="\${words[CURRENT]}"`,
    `  previous="\${words[CURRENT-1]}"`,
    `  before="\${words[2,CURRENT-1]}"`,
    ...pathLoop(spots),
    '    case "$at" in',
    ...spotCases(spots, offer),
    "    esac",
    "}",
    'if [ "$funcstack[1]" = "_lattice" ]; then _lattice "$@"; else compdef _lattice lattice; fi',
    "",
  ].join("\n");
}

function fishScript(spots: readonly Spot[]): string {
  const root = spots[0]?.flags ?? {};
  const paths = spots.filter(({ path }) => path !== "").map(({ path }) => `"${path}"`);
  const lines = [
    "# fish completion of lattice. Load it with: lattice completions fish | source",
    "function __lattice_path",
    "  set -l path ''",
    "  set -l skip 0",
    "  for word in (commandline -opc)[2..-1]",
    "    if test $skip = 1; set skip 0; continue; end",
    "    switch $word",
    `      case ${valueFlags(root).split("|").join(" ")}`,
    "        set skip 1",
    "      case '-*'",
    "      case '*'",
    '        set -l next (string trim -- "$path $word")',
    `        if contains -- $next ${paths.join(" ")}; set path $next; end`,
    "    end",
    "  end",
    "  echo $path",
    "end",
    "complete -c lattice -f",
  ];
  for (const spot of spots) lines.push(...fishSpot(spot));
  return `${lines.join("\n")}\n`;
}

function fishSpot(spot: Spot): readonly string[] {
  const when = `-n 'test (__lattice_path) = "${spot.path}"'`;
  const members = spot.members.map(
    ([name, summary]) => `complete -c lattice ${when} -a ${name} -d ${fishQuoted(summary)}`,
  );
  const flags = Object.entries(spot.flags).map(([name, flag]) => {
    const letter = flag.alias === undefined ? "" : ` -s ${flag.alias}`;
    const value = flag.type === "string" ? ` ${flag.completes === "file" ? "-r" : "-x"}${fishValues(flag)}` : "";
    return `complete -c lattice ${when} -l ${name}${letter}${value} -d ${fishQuoted(flag.description ?? "")}`;
  });
  const { positional } = spot;
  const values = positional === undefined ? "" : fishValues(positional);
  const argument = values === "" ? [] : [`complete -c lattice ${when}${values}`];
  return [...members, ...flags, ...argument];
}

function fishValues({
  choices,
  completes,
}: {
  readonly choices?: readonly string[];
  readonly completes?: ValueKind;
}): string {
  if (choices !== undefined) return ` -a ${fishQuoted(choices.join(" "))}`;
  if (completes === "file") return " -F";
  if (completes === "directory") return " -a '(__fish_complete_directories)'";
  const ids = completes === undefined ? undefined : IDS[completes];
  return ids === undefined ? "" : ` -a ${fishQuoted(`(${ids})`)}`;
}

const fishQuoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
