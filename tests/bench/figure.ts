/** What the bench measured, as figures with their targets, and how they are printed. */
import { cpus, totalmem } from "node:os";

/** One line of the result. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it should reach; absent where there is no target. */
  readonly target?: { readonly atLeast: number } | { readonly atMost: number };
  /** Spread or circumstances, for people. */
  readonly note?: string;
}

/** Returns the median; of an even number of values the upper of the middle two. */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Returns the value that `percent` of the values do not exceed. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100));
  return sorted[at] ?? Number.NaN;
}

/** Returns the smallest and largest value, for a note. */
export const spread = (values: readonly number[]): string =>
  `${shown(Math.min(...values))} to ${shown(Math.max(...values))}`;

/** Prints the machine: figures mean nothing without it. */
export function printMachine(): void {
  const models = [...new Set(cpus().map(({ model }) => model.trim()))].join(", ");
  const gib = Math.round(totalmem() / 1024 ** 3);
  console.log(`Machine: ${cpus().length} processors (${models}), ${gib} GiB; load generator on the same processors\n`);
}

/** Prints the figures as a table. */
export function printFigures(figures: readonly Figure[]): void {
  const rows = figures.map((figure) => [
    figure.name,
    `${shown(figure.value)} ${figure.unit}`,
    targetText(figure),
    figure.note ?? "",
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows) {
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    );
  }
}

function targetText({ value, target }: Figure): string {
  if (!target) return "";
  if ("atLeast" in target) return `${value >= target.atLeast ? "reaches" : "MISSES"} >= ${shown(target.atLeast)}`;
  return `${value <= target.atMost ? "reaches" : "MISSES"} <= ${shown(target.atMost)}`;
}

function shown(value: number): string {
  if (value >= 100) return String(Math.round(value));
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
