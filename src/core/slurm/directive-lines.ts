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
const LATE = /^#(?:SBATCH|LATTICE)[\s-]/m;
const INDENTED = /^\s+#(SBATCH|LATTICE)[\s-]/;

/** Returns the directive lines of a script. */
export function readDirectiveLines(script: string): DirectiveLines {
  const found: { -readonly [K in keyof DirectiveLines]: DirectiveLines[K] } = { lines: [], indentedLines: [] };
  const lines: DirectiveLine[] = [];
  const indented: number[] = [];
  let number = 0;
  let at = 0;
  for (; at < script.length; number++) {
    const end = script.indexOf("\n", at);
    const next = end < 0 ? script.length : end + 1;
    const text = script.slice(at, next).trimEnd();
    const match = DIRECTIVE.exec(text);
    if (match) {
      const words = splitWords(match[2] ?? "");
      if (words === undefined) found.unclosedLine ??= number + 1;
      else if (words[0] === "hetjob" || words[0] === "packjob") found.hetJobLine ??= number + 1;
      else lines.push({ family: match[1] === "LATTICE" ? "LATTICE" : "SBATCH", line: number + 1, words });
    } else if (INDENTED.test(text)) indented.push(number + 1);
    else if (text !== "" && !text.trimStart().startsWith("#")) break;
    at = next;
  }
  const lateLine = lineOfLate(script.slice(at), number);
  return { ...found, lines, indentedLines: indented, ...(lateLine === undefined ? {} : { lateLine }) };
}

/** The body may be megabytes: it is searched, not split. */
function lineOfLate(body: string, linesBefore: number): number | undefined {
  const late = LATE.exec(body);
  return late === null ? undefined : linesBefore + body.slice(0, late.index).split("\n").length;
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
