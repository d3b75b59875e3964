/**
 * Shows that every command of Lattice in a fenced block of the documents exists as written: its
 * place in the tree of commands, and its flags. A document that shows a flag of yesterday fails here.
 */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Flag } from "../../src/cli/grammar/flag.ts";
import { PROGRAM } from "../../src/cli/program.ts";
import { REPLAY_FLAGS } from "../../src/cli/replay/flags.ts";
import { GLOBAL_FLAGS } from "../../src/cli/settings.ts";
import { walk } from "../../src/cli/walk.ts";
import { AGENT_FLAGS } from "../../src/config/agent-flags.ts";
import { CHECK_FLAGS, RESTORE_FLAGS, SERVER_FLAGS } from "../../src/config/server-flags.ts";

const ROOT = join(import.meta.dir, "../..");
const FENCED = /^```(?:sh|bash|console)\n([\s\S]*?)^```/gm;
/** A word that a program of Lattice is called by, at the beginning of a command. */
const CALL =
  /^(?:(?:sudo|LATTICE_\w+=\S*) +)*(?:dist\/|\.\/|\/usr\/local\/bin\/)?(lattice|lattice-server|lattice-agent|rm-replay) +(.*)$/;

const places = await walk(PROGRAM);

/** Returns the command lines of a document, with continued lines joined and comments cut off. */
function commandsIn(markdown: string): readonly string[] {
  return [...markdown.matchAll(FENCED)]
    .flatMap(([, block = ""]) => block.replaceAll(/\\\n\s*/g, " ").split("\n"))
    .flatMap((line) => line.replace(/\s#.*$/, "").split(/ *(?:&&|\|\||;|\|) */))
    .map((line) => line.replace(/ [<>2&].*$/, "").trim());
}

/** Returns what is wrong with a command line; undefined when it is one of ours and right, or somebody else's. */
function wrongWith(line: string): string | undefined {
  const [, program = "", rest = ""] = CALL.exec(line) ?? [];
  if (program === "") return undefined;
  const words = rest.split(/\s+/).filter((word) => word !== "");
  if (program === "lattice") return wrongWithTool(line, words);
  const known = program === "rm-replay" ? knownFlags(REPLAY_FLAGS) : specFlags(program, words);
  return strayFlag(line, words, known);
}

function wrongWithTool(line: string, all: readonly string[]): string | undefined {
  const words = withoutGlobals(all);
  const path: string[] = [];
  let place = places[0];
  for (const word of words) {
    const next = places.find((each) => each.path.join(" ") === [...path, word].join(" "));
    if (next === undefined) break;
    path.push(word);
    place = next;
  }
  if (place?.kind === "group") {
    const only = words.filter((word) => !path.includes(word));
    return only.every((word) => /^(?:-|…|\.\.\.)/.test(word)) ? undefined : `${line}: there is no such command`;
  }
  const flags = place?.kind === "command" ? place.command.flags : {};
  return strayFlag(line, words, knownFlags({ ...GLOBAL_FLAGS, ...flags }));
}

/** Flags of every command may come before it. */
function withoutGlobals(words: readonly string[]): readonly string[] {
  const [first = "", ...rest] = words;
  const globals: Readonly<Record<string, Flag>> = GLOBAL_FLAGS;
  const global = Object.entries(globals).find(([name, { alias }]) => [`--${name}`, `-${alias}`].includes(first));
  if (global === undefined) return words;
  return withoutGlobals(global[1].type === "string" ? rest.slice(1) : rest);
}

const knownFlags = (flags: Readonly<Record<string, Flag>>): ReadonlySet<string> =>
  new Set(
    Object.entries(flags).flatMap(([name, flag]) => {
      const synonym = "synonym" in flag && flag.synonym !== undefined ? [`--${flag.synonym}`] : [];
      return [`--${name}`, `--no-${name}`, ...synonym, ...(flag.alias === undefined ? [] : [`-${flag.alias}`])];
    }),
  );

function specFlags(program: string, [first = ""]: readonly string[]): ReadonlySet<string> {
  const ofServer = first === "restore" ? RESTORE_FLAGS : first === "config" ? CHECK_FLAGS : SERVER_FLAGS;
  const specs = program === "lattice-agent" ? AGENT_FLAGS : ofServer;
  return new Set(
    Object.entries(specs).flatMap(([name, { short }]) => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])]),
  );
}

const ALWAYS: ReadonlySet<string> = new Set(["--help", "--version", "-h", "-V"]);

function strayFlag(line: string, words: readonly string[], known: ReadonlySet<string>): string | undefined {
  const end = words.indexOf("--");
  for (const word of end < 0 ? words : words.slice(0, end)) {
    const flag = /^--?[a-zA-Z][\w-]*/.exec(word)?.[0];
    if (flag === undefined || known.has(flag) || ALWAYS.has(flag)) continue;
    return `${line}: there is no flag ${flag}`;
  }
  return undefined;
}

test("each command of Lattice that a document shows exists as it is written", () => {
  const wrong: string[] = [];
  let seen = 0;
  for (const path of ["README.md", ...new Bun.Glob("docs/**/*.md").scanSync(ROOT)]) {
    for (const line of commandsIn(readFileSync(join(ROOT, path), "utf8"))) {
      if (CALL.test(line)) seen++;
      const fault = wrongWith(line);
      if (fault !== undefined) wrong.push(`${path}: ${fault}`);
    }
  }
  expect(wrong).toEqual([]);
  // So that a change of the documents' form does not make this pass over everything.
  expect(seen).toBeGreaterThan(60);
});

test("the guide or the README leads to every page of the operations, and no link of theirs leads nowhere", () => {
  const targets = ["README.md", ...new Bun.Glob("docs/**/*.md").scanSync(ROOT)].flatMap((path) =>
    [...readFileSync(join(ROOT, path), "utf8").matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
      .map(([, link = ""]) => link)
      .filter((link) => !/^[a-z]+:/.test(link))
      .map((link) => ({ path, target: join(dirname(path), link) })),
  );
  expect(targets.filter(({ target }) => !existsSync(join(ROOT, target)))).toEqual([]);
  const led = new Set(
    targets.filter(({ path }) => /^README|^docs\/guide/.test(path)).map(({ target }) => target.replace(/\/$/, "")),
  );
  const pages = [...new Bun.Glob("docs/operations/*.md").scanSync(ROOT)];
  expect(pages.filter((page) => !led.has(page))).toEqual([]);
});

test("a flag or a command that does not exist is found", () => {
  expect(wrongWith("lattice nodes --nonsense")).toContain("no flag --nonsense");
  expect(wrongWith("sudo lattice admin nonsense")).toContain("no such command");
  expect(wrongWith("lattice-server --config x --nonsense")).toContain("no flag --nonsense");
  expect(wrongWith("lattice submit -- prog --its-own")).toBeUndefined();
});
