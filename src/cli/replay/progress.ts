/** A progress bar on standard error, for people who watch; silent where nobody does. */

/** The progress of one replay. */
export interface Progress {
  /** Shows how many of the jobs have ended. */
  readonly show: (ended: number) => void;
  /** Takes the bar away. */
  readonly end: () => void;
}

const WIDTH = 30;

/** Returns the progress of `total` jobs under a name. */
export function createProgress(name: string, total: number): Progress {
  const { stderr } = process;
  if (!stderr.isTTY || total === 0) return { show: () => {}, end: () => {} };
  let shown = -1;
  return {
    show: (ended) => {
      const done = Math.floor((ended * WIDTH) / total);
      if (done === shown) return;
      shown = done;
      stderr.write(`\r${name.padEnd(12)} [${"#".repeat(done)}${".".repeat(WIDTH - done)}] ${ended} of ${total} jobs`);
    },
    end: () => {
      stderr.write("\r\u001b[K");
    },
  };
}
