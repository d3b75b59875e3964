/** Small pieces of text for people: wrapped paragraphs, aligned pairs, times, amounts. */
import { formatElapsed } from "../../core/slurm/duration.ts";

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

/** Returns a moment in local time, to the second. */
export function moment(ms: number | undefined): string {
  if (ms === undefined) return "-";
  const date = new Date(ms);
  const two = (n: number) => String(n).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Returns a span as squeue has it: `0:05`, `12:34`, `1:02:03`, `1-02:03:04`. */
export function span(ms: number): string {
  const text = formatElapsed(ms);
  return text.includes("-") ? text : text.replace(/^00:0?/, "").replace(/^0(\d:\d\d:)/, "$1");
}

/** Returns bytes with a unit, to three digits at most. */
export function bytes(count: number): string {
  let value = count;
  for (const unit of ["B", "KiB", "MiB", "GiB", "TiB"]) {
    if (value < 1024 || unit === "TiB")
      return `${value < 10 && unit !== "B" ? +value.toFixed(1) : Math.round(value)} ${unit}`;
    value /= 1024;
  }
  return `${count} B`;
}

/** Returns GPUs from thousandths of a device. */
export const gpus = (milli: number): string => String(milli / 1000);

/** Returns `1 node` or `2 nodes`. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;
