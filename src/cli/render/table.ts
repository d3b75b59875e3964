/**
 * Tables for a screen of a given width: columns are aligned, flexible ones are shortened
 * when there is no room, and the least important ones are left out when that is not
 * enough. Without a width nothing is cut.
 */

/** A column of a table over rows of type T. */
export interface Column<T> {
  readonly title: string;
  readonly value: (row: T) => string;
  /** Aligned to the right, for numbers. */
  readonly isNumber?: boolean;
  /** May be shortened to this many columns. */
  readonly least?: number;
  /** Left out first when it has the greatest number; never when absent. */
  readonly dropRank?: number;
  /** Colours a cell that has its final width. */
  readonly paint?: (text: string, row: T) => string;
}

const GAP = "  ";

/** Returns the table as lines, each ended, the title line first. */
export function renderTable<T>(rows: readonly T[], columns: readonly Column<T>[], width: number | undefined): string {
  const shown = fitted(measured(rows, columns), width);
  const title = line(shown, (column) => column.column.title);
  const body = rows.map((row, i) =>
    line(
      shown,
      (column) => column.cells[i] ?? "",
      (text, { column }) => column.paint?.(text, row) ?? text,
    ),
  );
  return [title, ...body].map((text) => `${text}\n`).join("");
}

/** Returns `text` in at most `width` columns, with an ellipsis when something is missing. */
export function shorten(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let out = "";
  for (const char of text) {
    if (displayWidth(out + char) > width - 1) break;
    out += char;
  }
  return width <= 0 ? "" : `${out}…`;
}

interface Measured<T> {
  readonly column: Column<T>;
  readonly cells: readonly string[];
  readonly width: number;
}

const displayWidth = (text: string): number => Bun.stringWidth(text);

function measured<T>(rows: readonly T[], columns: readonly Column<T>[]): readonly Measured<T>[] {
  return columns.map((column) => {
    const cells = rows.map((row) => printable(column.value(row)));
    const width = Math.max(displayWidth(column.title), ...cells.slice(0, 100_000).map(displayWidth));
    return { column, cells, width };
  });
}

/** Names come from users: control characters must not reach the terminal. */
export const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is to be removed
  text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");

const totalWidth = <T>(columns: readonly Measured<T>[]): number =>
  columns.reduce((sum, { width }) => sum + width, GAP.length * (columns.length - 1));

function fitted<T>(columns: readonly Measured<T>[], width: number | undefined): readonly Measured<T>[] {
  if (width === undefined) return columns;
  const squeezed = squeeze(columns, width);
  if (totalWidth(squeezed) <= width) return squeezed;
  const worst = columns.reduce((rank, { column }) => Math.max(rank, column.dropRank ?? 0), 0);
  if (worst === 0) return squeezed;
  return fitted(
    columns.filter(({ column }) => column.dropRank !== worst),
    width,
  );
}

/** Takes from the flexible column that is widest beyond its least, one by one, until all fit. */
function squeeze<T>(columns: readonly Measured<T>[], width: number): readonly Measured<T>[] {
  const widths = columns.map((column) => column.width);
  let excess = totalWidth(columns) - width;
  for (; excess > 0; excess--) {
    let widest = -1;
    for (const [i, { column }] of columns.entries()) {
      const spare = (widths[i] ?? 0) - (column.least ?? Number.POSITIVE_INFINITY);
      if (spare > 0 && (widest < 0 || (widths[i] ?? 0) > (widths[widest] ?? 0))) widest = i;
    }
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return columns.map((column, i) => ({ ...column, width: widths[i] ?? column.width }));
}

function line<T>(
  columns: readonly Measured<T>[],
  cellOf: (column: Measured<T>) => string,
  paint: (text: string, column: Measured<T>) => string = (text) => text,
): string {
  const cells = columns.map((column, i) => {
    const text = shorten(cellOf(column), column.width);
    const fill = " ".repeat(Math.max(0, column.width - displayWidth(text)));
    const painted = text === "" ? "" : paint(text, column);
    if (column.column.isNumber) return fill + painted;
    return i === columns.length - 1 ? painted : painted + fill;
  });
  return cells.join(GAP).trimEnd();
}
