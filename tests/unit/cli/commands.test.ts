/** Shows that the definitions of the commands are sound: names, letters, texts, and help at 80 columns. */
import { expect, test } from "bun:test";
import type { Flag } from "../../../src/cli/grammar/flag.ts";
import { commandHelp, groupHelp } from "../../../src/cli/help.ts";
import { PROGRAM } from "../../../src/cli/program.ts";
import { GLOBAL_FLAGS } from "../../../src/cli/settings.ts";
import { walk } from "../../../src/cli/walk.ts";
import { LATTICE_OPTIONS } from "../../../src/core/slurm/lattice-options.ts";

const PLACES = await walk(PROGRAM);
const COMMANDS = PLACES.flatMap((place) => (place.kind === "command" ? [{ ...place.command, path: place.path }] : []));

test("a command is called by its path", () => {
  for (const { name, path } of COMMANDS) expect(name).toBe(path.join(" "));
});

test("no flag hides one of every command, and no letter has two meanings", () => {
  for (const { name, flags = {} } of COMMANDS) {
    for (const flag of Object.keys(flags)) expect([name, flag in GLOBAL_FLAGS]).toEqual([name, false]);
    const all: Readonly<Record<string, Flag>> = { ...GLOBAL_FLAGS, ...flags };
    const letters = Object.values(all).flatMap(({ alias }) => alias ?? []);
    expect([name, new Set(letters).size]).toEqual([name, letters.length]);
    expect(letters).not.toContain("h");
  }
});

test("every flag is described in a line without a full stop", () => {
  for (const { flags = {} } of COMMANDS) {
    for (const [flag, { description }] of Object.entries(flags))
      expect([flag, description]).toEqual([flag, expect.stringMatching(/[^.]$/)]);
  }
});

test("what #LATTICE can say, submit has a flag for", () => {
  const flags = { ...GLOBAL_FLAGS, ...COMMANDS.find(({ name }) => name === "submit")?.flags };
  for (const option of LATTICE_OPTIONS.keys()) expect(Object.keys(flags)).toContain(option);
});

test("help fits 80 columns", () => {
  const style = { width: 80, hasColour: false, globals: GLOBAL_FLAGS };
  for (const place of PLACES) {
    const help = place.kind === "group" ? groupHelp(place.group, place.path, style) : commandHelp(place.command, style);
    // Examples are command lines, which cannot be broken.
    const lines = help.split("\n").filter((line) => !line.startsWith("  lattice "));
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
  }
});
