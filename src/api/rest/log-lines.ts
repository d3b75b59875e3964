/** Output of an allocation cut into lines of text, each stream of each node for itself. */
import type { LogLine } from "../../core/domain/detail.ts";
import { momentJson } from "./allocation-json.ts";

/** One line of output as REST shows it. */
export interface TextLine {
  readonly line: string;
  readonly stream: "stdout" | "stderr";
  readonly node_id: string;
  readonly attempt: number;
  readonly timestamp: string | null;
}

/** A line without an end is given out when it gets this long. */
const LINE_LENGTH_MAX = 65_536;

interface Unfinished {
  readonly decoder: TextDecoder;
  readonly last: LogLine;
  text: string;
}

/** Yields the lines of `pieces`; what has no line end by then comes last. */
export async function* textLines(pieces: AsyncIterable<LogLine>): AsyncIterable<TextLine> {
  const streams = new Map<string, Unfinished>();
  for await (const piece of pieces) {
    const key = `${piece.node}/${piece.attempt}/${piece.stream}`;
    const before = streams.get(key);
    const decoder = before?.decoder ?? new TextDecoder();
    const lines = ((before?.text ?? "") + decoder.decode(piece.data, { stream: true })).split("\n");
    let rest = lines.pop() ?? "";
    for (const line of lines) yield textLine(piece, line);
    if (rest.length >= LINE_LENGTH_MAX) {
      yield textLine(piece, rest);
      rest = "";
    }
    streams.set(key, { decoder, last: piece, text: rest });
  }
  for (const { decoder, last, text } of streams.values()) {
    const rest = text + decoder.decode();
    if (rest !== "") yield textLine(last, rest);
  }
}

const textLine = (piece: LogLine, line: string): TextLine => ({
  line: line.endsWith("\r") ? line.slice(0, -1) : line,
  stream: piece.stream,
  node_id: piece.node,
  attempt: piece.attempt,
  timestamp: momentJson(piece.at),
});
