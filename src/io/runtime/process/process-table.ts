/**
 * The kernel's process table, read from /proc. A process is known by its number together
 * with its start time: the number alone is used again.
 */
import { readdir, readFile } from "node:fs/promises";

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessId {
  readonly pid: number;
  /** In clock ticks since the machine's boot. */
  readonly startTime: number;
}

/** One row of the process table. */
export interface ProcessRow extends ProcessId {
  readonly parent: number;
  readonly session: number;
  readonly isZombie: boolean;
}

/** Reads "pid starttime", the way the supervisor writes it; undefined while incomplete. */
export function parseProcessId(text: string): ProcessId | undefined {
  const match = /^(\d+) (\d+)\n/.exec(text);
  return match ? { pid: Number(match[1]), startTime: Number(match[2]) } : undefined;
}

/** Reads the text of /proc/PID/stat. The name in parentheses may itself hold parentheses and spaces. */
export function parseStat(text: string): ProcessRow | undefined {
  const close = text.lastIndexOf(")");
  const pid = Number.parseInt(text, 10);
  const fields = text.slice(close + 2).split(" ");
  const startTime = Number(fields[19]);
  if (close < 0 || !Number.isInteger(pid) || !Number.isInteger(startTime)) return undefined;
  const isZombie = fields[0] === "Z" || fields[0] === "X";
  return { pid, startTime, parent: Number(fields[1]), session: Number(fields[3]), isZombie };
}

/** Returns the row of a process number, or undefined when there is none. */
export async function readProcess(pid: number): Promise<ProcessRow | undefined> {
  try {
    return parseStat(await readFile(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return undefined;
  }
}

/** Returns whether that very process still runs. */
export async function isAlive(id: ProcessId): Promise<boolean> {
  const row = await readProcess(id.pid);
  return row !== undefined && !row.isZombie && row.startTime === id.startTime;
}

/** Sends a signal; a process that has gone is no error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has gone, which is what a signal is for.
  }
}

/** What is known of a workload's processes where no control group holds them together. */
export interface Lineage {
  /** First process of the workload. */
  readonly root: ProcessId;
  /** An environment entry, such as `NAME=value`, that the workload was started with. */
  readonly marker: string;
}

/**
 * Returns the living processes of a workload: its session, their descendants, and whatever
 * carries its marker in the environment. A process that leaves all three is not found.
 */
export async function findLineage({ root, marker }: Lineage): Promise<readonly ProcessRow[]> {
  const rows = await listProcesses();
  const isOurs = new Map<number, boolean>();
  for (const row of rows) {
    if (row.startTime < root.startTime) continue;
    if (row.session === root.pid || row.pid === root.pid || (await hasMarker(row.pid, marker)))
      isOurs.set(row.pid, true);
  }
  for (let before = -1; before !== isOurs.size; ) {
    before = isOurs.size;
    for (const row of rows) if (isOurs.has(row.parent)) isOurs.set(row.pid, true);
  }
  return rows.filter((row) => isOurs.has(row.pid) && !row.isZombie);
}

async function listProcesses(): Promise<readonly ProcessRow[]> {
  const names = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const rows = await Promise.all(names.map((name) => readProcess(Number(name))));
  return rows.filter((row) => row !== undefined);
}

async function hasMarker(pid: number, marker: string): Promise<boolean> {
  try {
    const environment = await readFile(`/proc/${pid}/environ`, "latin1");
    return environment.split("\0").includes(marker);
  } catch {
    return false;
  }
}

/**
 * Returns whether a process does something of its own about a signal: it has a handler for
 * it, or blocks it to wait for it. To any other the signal would be the end.
 */
export async function takesSignal(pid: number, signal: number): Promise<boolean> {
  try {
    return maskHas(await readFile(`/proc/${pid}/status`, "latin1"), signal);
  } catch {
    return false;
  }
}

/** Reads the text of /proc/PID/status: the masks of caught and blocked signals, signal 1 being the lowest bit. */
export function maskHas(status: string, signal: number): boolean {
  const masks = [...status.matchAll(/^Sig(?:Cgt|Blk):\s*([0-9a-f]+)$/gm)];
  return masks.some(([, digits]) => ((BigInt(`0x${digits}`) >> BigInt(signal - 1)) & 1n) === 1n);
}
