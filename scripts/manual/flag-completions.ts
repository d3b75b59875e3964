/** Completion scripts of the programs that have flags and hardly any commands: server, agent, simulator. */
import type { Shell } from "../../src/cli/completion-scripts.ts";
import { REPLAY_FLAGS } from "../../src/cli/replay/flags.ts";
import { AGENT_FLAGS } from "../../src/config/agent-flags.ts";
import { SERVER_FLAGS } from "../../src/config/server-flags.ts";

/** A flag as a shell completes it. */
interface Offered {
  readonly name: string;
  readonly meaning: string;
  readonly hasValue: boolean;
}

/** Words that may come before the flags. */
const WORDS: Readonly<Record<string, readonly string[]>> = { "lattice-server": ["config", "restore"] };

/** Returns the completion script of a program for a shell. */
export function flagCompletions(program: string, shell: Shell): string {
  const flags = flagsOf(program);
  const words = WORDS[program] ?? [];
  switch (shell) {
    case "bash": {
      const all = [...words, ...flags.map(({ name }) => `--${name}`)].join(" ");
      return `# bash completion of ${program}\ncomplete -o default -W "${all}" ${program}\n`;
    }
    case "zsh": {
      const lines = flags.map(({ name, meaning, hasValue }) =>
        single(
          `--${name}${hasValue ? "=" : ""}[${meaning.replace(/[[\]:]/g, "\\$&")}]${hasValue ? ":value:_files" : ""}`,
        ),
      );
      const first = words.length > 0 ? [single(`1::command:(${words.join(" ")})`)] : [];
      return `#compdef ${program}\n_arguments \\\n  ${[...lines, ...first].join(" \\\n  ")}\n`;
    }
    case "fish":
      return [
        `# fish completion of ${program}`,
        ...words.map((word) => `complete -c ${program} -a ${word}`),
        ...flags.map(({ name, meaning, hasValue }) => {
          return `complete -c ${program} -l ${name}${hasValue ? " -r" : ""} -d ${single(meaning)}`;
        }),
        "",
      ].join("\n");
  }
}

function flagsOf(program: string): readonly Offered[] {
  if (program === "rm-replay") {
    return Object.entries(REPLAY_FLAGS).map(([name, { type, description }]) => {
      return { name, meaning: description, hasValue: type === "string" };
    });
  }
  const specs = program === "lattice-server" ? SERVER_FLAGS : AGENT_FLAGS;
  return Object.entries(specs).map(([name, { value, meaning }]) => ({ name, meaning, hasValue: value !== undefined }));
}

const single = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
