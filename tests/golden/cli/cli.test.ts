/**
 * What people see: each case is a command line, run through the whole CLI against a
 * cluster of fixed data on a screen of 80 columns. Lines on standard error begin with
 * `!`; an exit code other than 0 comes last. `sent` shows the last request.
 */
import { join } from "node:path";
import { runCli } from "../../../src/cli/main.ts";
import { PROGRAM } from "../../../src/cli/program.ts";
import type { Terminal } from "../../../src/cli/terminal.ts";
import { clientOver } from "../../../src/client/client.ts";
import { splitWords } from "../../../src/core/slurm/directive-lines.ts";
import type { GoldenCase } from "../runner.ts";
import { runGolden } from "../runner.ts";
import { fakeCluster, NOW } from "./fake-cluster.ts";

const FOLDER = join(import.meta.dir, "files");
const HOST = { now: () => 0, sleep: async () => {}, random: () => 0, uuid: () => "key" };

interface Screen {
  readonly terminal: Terminal;
  readonly text: () => string;
}

function screenOf(columns: number | undefined): Screen {
  const lines: string[] = [];
  let atLineStart = true;
  const write = (mark: string) => (text: string | Uint8Array) => {
    const plain = typeof text === "string" ? text : new TextDecoder().decode(text);
    for (const line of plain.split(/(?<=\n)/)) {
      if (line === "") continue;
      lines.push(atLineStart ? mark + line : line);
      atLineStart = line.endsWith("\n");
    }
  };
  const terminal = { out: write(""), err: write("! "), columns, hasColour: false, clear: () => {} };
  return { terminal, text: () => lines.join("") };
}

runGolden(import.meta.dir, () => {
  const cluster = fakeCluster();
  let columns: number | undefined = 80;
  const env: Record<string, string> = { HOME: "/nonexistent", USER: "marie" };
  return async ({ command, args, input, line }: GoldenCase): Promise<string> => {
    if (command === "sent") return JSON.stringify(withoutEmpty(cluster.lastRequest()), undefined, 1);
    if (command === "width") {
      columns = args[0] === "none" ? undefined : Number(args[0]);
      return "";
    }
    if (command === "env") {
      for (const pair of args) env[pair.split("=")[0] ?? ""] = pair.split("=")[1] ?? "";
      return "";
    }
    if (command !== "lattice") throw new Error(`line ${line}: no command ${command}`);
    const screen = screenOf(columns);
    const words = splitWords(`${args.join(" ")}\n${input}`) ?? [];
    const code = await runCli(PROGRAM, words, {
      env,
      directory: FOLDER,
      version: "1.2.3",
      terminal: () => screen.terminal,
      client: (settings) =>
        clientOver(
          [{ endpoint: "http://fake", transport: cluster.transport }],
          { ...settings, unreachableMs: 0 },
          HOST,
        ),
      now: () => NOW,
      signal: new AbortController().signal,
    });
    // Paths of this checkout differ from machine to machine.
    const text = screen.text().replaceAll(FOLDER, "/files");
    return code === 0 ? text : `${text}exit ${code}`;
  };
});

/** What is not said would drown what is. */
function withoutEmpty(value: unknown): unknown {
  if (typeof value === "string") return value.replaceAll(FOLDER, "/files");
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).map(([key, part]) => [key, withoutEmpty(part)] as const);
  return Object.fromEntries(entries.filter(([, part]) => !isEmpty(part)));
}

function isEmpty(value: unknown): boolean {
  if (value === "" || value === 0 || value === false || value === null) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
