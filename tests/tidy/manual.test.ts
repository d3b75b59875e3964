/** Shows that manual pages and completions name every flag of the four programs, and are sound where groff and the shells are here to say so. */
import { expect, test } from "bun:test";
import { flagCompletions } from "../../scripts/manual/flag-completions.ts";
import { manPages } from "../../scripts/manual/man-pages.ts";
import { REPLAY_FLAGS } from "../../src/cli/replay/flags.ts";
import { AGENT_FLAGS } from "../../src/config/agent-flags.ts";
import { SERVER_FLAGS } from "../../src/config/server-flags.ts";

const FLAGS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "lattice-server": SERVER_FLAGS,
  "lattice-agent": AGENT_FLAGS,
  "rm-replay": REPLAY_FLAGS,
};

for (const [program, flags] of Object.entries(FLAGS)) {
  test(`page and completions of ${program} have each flag`, async () => {
    const page = (await manPages(program)).map(({ text }) => text.replaceAll("\\-", "-")).join("");
    for (const shell of ["bash", "zsh", "fish"] as const) {
      const script = flagCompletions(program, shell);
      const written = (name: string) => (shell === "fish" ? ` -l ${name} ` : `--${name}`);
      expect(Object.keys(flags).filter((name) => !script.includes(written(name)))).toEqual([]);
    }
    expect(Object.keys(flags).filter((name) => !page.includes(`--${name}`))).toEqual([]);
  });
}

test.skipIf(Bun.which("groff") === null)("groff has nothing to say about the pages", async () => {
  for (const program of ["lattice", ...Object.keys(FLAGS)]) {
    for (const { text } of await manPages(program)) {
      const run = Bun.spawnSync(["groff", "-ww", "-mandoc", "-z", "-Tutf8", "-Kutf8"], { stdin: Buffer.from(text) });
      expect(run.stderr.toString()).toBe("");
    }
  }
});

test("bash takes the completions", () => {
  for (const program of Object.keys(FLAGS)) {
    const run = Bun.spawnSync(["bash", "-n"], { stdin: Buffer.from(flagCompletions(program, "bash")) });
    expect(run.stderr.toString()).toBe("");
  }
});
