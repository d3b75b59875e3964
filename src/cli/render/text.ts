/** Small pieces of text for people: times, amounts, counts. */
import { formatElapsed } from "../../core/slurm/duration.ts";

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
