/**
 * Finds the directive lines of a batch script and splits them into words, as sbatch
 * does: directives stand before the first command; quotes and backslashes protect;
 * `#` at the start of a word begins a comment.
 */

/** One directive line, split into words. */
export interface DirectiveLine {
  readonly family: "SBATCH" | "LATTICE";
  /** From 1. */
  readonly line: number;
  readonly words: readonly string[];
}

/** The directive lines of a script, and where one stands that nobody will read. */
export interface DirectiveLines {
  readonly lines: readonly DirectiveLine[];
  /** The first line that looks like a directive but comes after the first command. */
  readonly lateLine?: number;
  /** Lines that are comments only because of space before the `#`. */
  readonly indentedLines: readonly number[];
  /** The line that separates the components of a heterogeneous job. */
  readonly hetJobLine?: number;
  /** A line with a quote that is not closed. */
  readonly unclosedLine?: number;
}

const DIRECTIVE = /^#(SBATCH|LATTICE)(?=[\s-])\s*(.*)$/;
const INDENTED = /^\s+#(SBATCH|LATTICE)[\s-]/;

/** Returns the directive lines of a script. */
export function readDirectiveLines(script: string): DirectiveLines {
  const found: { -readonly [K in keyof DirectiveLines]: DirectiveLines[K] } = { lines: [], indentedLines: [] };
  const lines: DirectiveLine[] = [];
  const indented: number[] = [];
  let isHeader = true;
  let number = 0;
  for (const raw of linesOf(script)) {
    number++;
    const text = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
    const match = DIRECTIVE.exec(text);
    if (match && !isHeader) {
      found.lateLine = number;
      break;
    }
    if (match) {
      const words = splitWords(match[2] ?? "");
      if (words === undefined) found.unclosedLine ??= number;
      else if (words[0] === "hetjob" || words[0] === "packjob") found.hetJobLine ??= number;
      else lines.push({ family: match[1] === "LATTICE" ? "LATTICE" : "SBATCH", line: number, words });
    } else if (isHeader && INDENTED.test(text)) indented.push(number);
    else if (text.trim() !== "" && !text.trimStart().startsWith("#")) isHeader = false;
  }
  return { ...found, lines, indentedLines: indented };
}

/** Returns the words of a line, or undefined when a quote is not closed. */
export function splitWords(text: string): readonly string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? "";
    if (quote === "" && word === undefined && char === "#") break;
    if (char === "\\" && quote !== "'" && i + 1 < text.length) word = (word ?? "") + (text[++i] ?? "");
    else if (quote !== "") {
      if (char === quote) quote = "";
      else word = (word ?? "") + char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= "";
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + char;
  }
  if (quote !== "") return undefined;
  if (word !== undefined) words.push(word);
  return words;
}

/** Scripts may be megabytes long and the header is short: lines are cut off one at a time. */
function* linesOf(script: string): Generator<string> {
  let at = 0;
  while (at <= script.length) {
    const end = script.indexOf("\n", at);
    if (end < 0) {
      yield script.slice(at);
      return;
    }
    yield script.slice(at, end);
    at = end + 1;
  }
}
