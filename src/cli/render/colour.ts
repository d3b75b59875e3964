/** Colours by meaning. Without colour every function gives its text back. */

/** How things are coloured on one terminal. */
export interface Palette {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly active: (text: string) => string;
}

const ESCAPE = "\u001b[";
const paint = (code: number, off: number) => (text: string) => `${ESCAPE}${code}m${text}${ESCAPE}${off}m`;
const plain = (text: string): string => text;

const COLOURED: Palette = {
  bold: paint(1, 22),
  dim: paint(2, 22),
  good: paint(32, 39),
  warn: paint(33, 39),
  bad: paint(31, 39),
  active: paint(36, 39),
};

const PLAIN: Palette = { bold: plain, dim: plain, good: plain, warn: plain, bad: plain, active: plain };

/** Returns the palette of a terminal with or without colour. */
export const paletteOf = (hasColour: boolean): Palette => (hasColour ? COLOURED : PLAIN);

/** Returns how a state of an allocation, workflow or node is coloured. */
export function painterOf(state: string, palette: Palette): (text: string) => string {
  switch (state.toLowerCase()) {
    case "running":
    case "claimed":
      return palette.active;
    case "completed":
    case "ready":
      return palette.good;
    case "failed":
    case "down":
      return palette.bad;
    case "cancelled":
    case "drained":
      return palette.dim;
    case "pending":
      return palette.bold;
    default:
      return palette.warn;
  }
}
