/** Shows that completion follows from the definitions: bash, run for real, offers what can stand at the cursor. */
import { expect, test } from "bun:test";
import { completionScript } from "../../../src/cli/completion-scripts.ts";
import { PROGRAM } from "../../../src/cli/program.ts";
import { GLOBAL_FLAGS } from "../../../src/cli/settings.ts";
import { walk } from "../../../src/cli/walk.ts";

const PLACES = await walk(PROGRAM);

/** What bash offers at the end of `line`. */
function offers(...words: readonly string[]): readonly string[] {
  const script = completionScript("bash", PLACES, GLOBAL_FLAGS);
  const array = ["lattice", ...words].map((word) => `'${word}'`).join(" ");
  const run = `lattice() { echo 12 13; }; COMP_WORDS=(${array}); COMP_CWORD=${words.length}; _lattice; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const bash = Bun.spawnSync(["bash", "--norc", "-c", `${script}\n${run}`]);
  expect(bash.stderr.toString()).toBe("");
  return bash.stdout
    .toString()
    .split("\n")
    .filter((word) => word !== "");
}

test("commands, then their members", () => {
  expect(offers("sub")).toEqual(["submit"]);
  expect(offers("admin", "tenant", "")).toEqual(["create", "update", "list", "get"]);
});

test("flags of the command and of every command, and the values of choices", () => {
  expect(offers("status", "--st")).toEqual(["--stale", "--state"]);
  expect(offers("status", "--se")).toEqual(["--server"]);
  expect(offers("status", "--state", "ru")).toEqual(["running"]);
  expect(offers("-o", "y")).toEqual(["yaml"]);
});

test("the value of a global flag is not taken for a command", () => {
  expect(offers("-t", "admin", "node", "dr")).toEqual(["drain"]);
});

test("ids are asked for where one can stand", () => {
  expect(offers("cancel", "")).toEqual(["12", "13"]);
  expect(offers("node", "drain", "1")).toEqual(["12", "13"]);
});

test("every command and flag is in every script", () => {
  for (const shell of ["bash", "zsh", "fish"] as const) {
    const script = completionScript(shell, PLACES, GLOBAL_FLAGS);
    for (const place of PLACES) {
      if (place.kind !== "command") continue;
      expect(script).toContain(`"${place.path.join(" ")}"`);
      for (const flag of Object.keys(place.command.flags ?? {})) expect(script).toContain(flag);
    }
  }
});
