/** Text in columns, for help and for output: wrapped paragraphs, aligned pairs. */

/** Returns `text` in lines of at most `width` columns, each begun with `indent`. */
export function wrap(text: string, width: number, indent = ""): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent.length + line.length + 1 + word.length > width) {
      lines.push(indent + line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, indent + line];
}

/** Returns two aligned columns; long second parts are wrapped under themselves. */
export function pairs(rows: readonly (readonly [string, string])[], width: number, indent = "  "): readonly string[] {
  const left = Math.max(0, ...rows.map(([name]) => name.length));
  const hang = " ".repeat(indent.length + left + 2);
  return rows.flatMap(([name, text]) => {
    const [first = "", ...rest] = wrap(text, width, hang);
    return [`${indent}${name.padEnd(left)}  ${first.slice(hang.length)}`.trimEnd(), ...rest];
  });
}
