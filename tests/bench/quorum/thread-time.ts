/**
 * CPU time by kind of thread, from /proc: what a write costs, on a machine where others run
 * too and rates say little. Bun names its threads; those that it does not name are the
 * main thread of their process.
 */
import { readdirSync, readFileSync } from "node:fs";

/** Microseconds of CPU time by kind of thread. */
export type ThreadTimes = ReadonlyMap<string, number>;

const TICK_US = 10_000;
/** Positions in /proc/<pid>/stat after the name: time in user and in kernel mode. */
const USER = 11;
const KERNEL = 12;

/** Returns what the threads of these processes have used, summed over the processes. */
export function readThreadTimes(pids: readonly number[]): ThreadTimes {
  const times = new Map<string, number>();
  for (const pid of pids) {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const stat = readStat(`/proc/${pid}/task/${task}/stat`);
      if (!stat) continue;
      const kind = Number(task) === pid ? "main" : kindOf(stat.name);
      times.set(kind, (times.get(kind) ?? 0) + stat.ticks * TICK_US);
    }
  }
  return times;
}

/** Says what each of `count` operations cost between two readings, the dearest kinds of thread first. */
export function costText(before: ThreadTimes, after: ThreadTimes, count: number): string {
  const costs = [...after]
    .map(([kind, time]) => [kind, Math.round((time - (before.get(kind) ?? 0)) / count)] as const)
    .filter(([, cost]) => cost > 0)
    .toSorted(([, a], [, b]) => b - a);
  const sum = costs.reduce((total, [, cost]) => total + cost, 0);
  return `CPU ${sum} us each (${costs.map(([kind, cost]) => `${kind} ${cost}`).join(", ")})`;
}

/** A thread may end while it is looked at. */
function readStat(path: string): { readonly name: string; readonly ticks: number } | undefined {
  try {
    const text = readFileSync(path, "utf8");
    const end = text.lastIndexOf(")");
    const fields = text.slice(end + 2).split(" ");
    return { name: text.slice(text.indexOf("(") + 1, end), ticks: Number(fields[USER]) + Number(fields[KERNEL]) };
  } catch {
    return undefined;
  }
}

/** Threads of one kind are numbered. */
const kindOf = (name: string): string => name.replace(/[\s#:-]*\d+$/, "");
