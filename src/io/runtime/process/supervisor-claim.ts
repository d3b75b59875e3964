/**
 * The claim decides who owns a try to start a workload: the supervisor, or an agent that
 * restarted before the supervisor got that far. Creating the file exclusively is the
 * decision, so nothing is ever started twice.
 */
import { watch } from "node:fs";
import type { ProcessId } from "./process-table.ts";
import { isAlive } from "./process-table.ts";
import type { WorkloadFolder } from "./workload-folder.ts";

const POLL_MS = 2_000;
/** A supervisor writes its claim in the instant after creating it. */
const WRITE_WAIT_MS = 1_000;
const NOBODY: ProcessId = { pid: 0, startTime: 0 };

/** Returns the name of the first claim that nobody has taken. */
export async function freeClaim(folder: WorkloadFolder): Promise<string> {
  for (let n = 1; ; n++) {
    if ((await folder.writtenAt(`claim-${n}`)) === undefined) return `claim-${n}`;
  }
}

/**
 * Returns the supervisor that has claimed the workload. When there is none, takes the next
 * claim, so that one on its way does not start anything, and returns undefined.
 */
export async function findSupervisor(
  folder: WorkloadFolder,
): Promise<{ readonly claim: string; readonly supervisor: ProcessId } | undefined> {
  for (let n = 1; ; n++) {
    const claim = `claim-${n}`;
    if (await folder.takeClaim(claim)) return undefined;
    const text = await readClaim(folder, claim);
    if (text.startsWith("agent")) continue;
    return { claim, supervisor: (await folder.readProcessId(claim)) ?? NOBODY };
  }
}

async function readClaim(folder: WorkloadFolder, claim: string): Promise<string> {
  for (let waitedMs = 0; ; waitedMs += 10) {
    const text = await folder.readText(claim);
    if (text.endsWith("\n") || waitedMs >= WRITE_WAIT_MS) return text;
    await Bun.sleep(10);
  }
}

/** Resolves when a supervisor that is no child of this process has written an exit or is gone. */
export function followSupervisor(folder: WorkloadFolder, supervisor: ProcessId): Promise<void> {
  return new Promise((resolve) => {
    const look = async () => {
      const isOver = (await folder.readExit()) !== undefined || !(await isAlive(supervisor));
      if (!isOver) return;
      clearInterval(poll);
      watcher.close();
      resolve();
    };
    const poll = setInterval(look, POLL_MS);
    const watcher = watch(folder.path, (_event, name) => {
      if (name === "exit") look();
    });
    watcher.on("error", () => watcher.close());
    look();
  });
}
