/**
 * Runs golden files in the style of etcd's datadriven tests. A file is a list of cases:
 * comments (`#`), a command line, optional input lines, `----`, the expected output, a
 * blank line. Output that itself has blank lines stands between doubled separators.
 * UPDATE_GOLDEN=1 rewrites the outputs; the reviewer reads the diff.
 */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** One case of a golden file. */
export interface GoldenCase {
  /** First word of the command line. */
  readonly command: string;
  /** The other words of the command line. */
  readonly args: readonly string[];
  /** The lines between the command line and the separator. */
  readonly input: string;
  /** Line of the command in its file, from 1. */
  readonly line: number;
}

/** Gives the output of a case; state may be kept between the cases of one file. */
export type Evaluate = (golden: GoldenCase) => string | Promise<string>;

const SEPARATOR = "----";

/** Declares one test for each .txt file in `folder`; `start` is called once a file. */
export function runGolden(folder: string, start: (file: string) => Evaluate): void {
  const files = readdirSync(folder)
    .filter((file) => file.endsWith(".txt"))
    .toSorted((a, b) => (a < b ? -1 : 1));
  if (files.length === 0) throw new Error(`${folder} has no golden files`);
  for (const file of files) {
    const path = join(folder, file);
    const before = readFileSync(path, "utf8");
    test(titleOf(file, before), async () => {
      const after = await rewrite(before, start(file));
      if (process.env.UPDATE_GOLDEN === "1") writeFileSync(path, after);
      else expect(after).toBe(before);
    });
  }
}

/** Returns `text` with every expected output replaced by what `evaluate` gives. */
export async function rewrite(text: string, evaluate: Evaluate): Promise<string> {
  const lines = text.split("\n");
  const out: string[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at] ?? "";
    if (line.trim() === "" || line.startsWith("#")) {
      out.push(line);
      at++;
      continue;
    }
    const separator = lines.indexOf(SEPARATOR, at);
    if (separator < 0) throw new Error(`line ${at + 1}: ${line}: no ${SEPARATOR} follows`);
    const [command = "", ...args] = line.trim().split(/\s+/);
    const input = lines.slice(at + 1, separator).join("\n");
    out.push(...lines.slice(at, separator), ...framed(await evaluate({ command, args, input, line: at + 1 })));
    at = endOfOutput(lines, separator);
  }
  return `${out.join("\n").trimEnd()}\n`;
}

function titleOf(file: string, text: string): string {
  const comment: string[] = [];
  for (const line of text.split("\n")) {
    if (!line.startsWith("#")) break;
    comment.push(line.replace(/^#\s*/, ""));
  }
  return `${file}: ${comment.join(" ")}`;
}

function framed(output: string): readonly string[] {
  const lines = output.trimEnd() === "" ? [] : output.trimEnd().split("\n");
  return lines.some((line) => line.trim() === "")
    ? [SEPARATOR, SEPARATOR, ...lines, SEPARATOR, SEPARATOR]
    : [SEPARATOR, ...lines];
}

function endOfOutput(lines: readonly string[], separator: number): number {
  if (lines[separator + 1] !== SEPARATOR) {
    const blank = lines.findIndex((line, i) => i > separator && line.trim() === "");
    return blank < 0 ? lines.length : blank;
  }
  for (let i = separator + 2; i < lines.length; i++) {
    if (lines[i] === SEPARATOR && lines[i + 1] === SEPARATOR) return i + 2;
  }
  throw new Error(`line ${separator + 1}: the doubled separator is not closed`);
}
