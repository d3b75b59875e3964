/**
 * The control group of one workload: it holds every process that the workload starts,
 * whatever they do about sessions and parents, and bounds what they use.
 */
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Claim } from "../../core/domain/resources.ts";
import type { ScopeParent } from "./hierarchy.ts";

const KILL_TIMEOUT_MS = 30_000;
const CPU_PERIOD_US = 100_000;

/** One workload's control group. It need not exist. */
export class Scope {
  readonly path: string;

  constructor(parent: ScopeParent, name: string) {
    this.path = join(parent.path, `alloc-${name}`);
  }

  /** The file that takes a process into the group. */
  get procsFile(): string {
    return join(this.path, "cgroup.procs");
  }

  /** Makes the group with the limits of a claim. @throws the system's error when it cannot. */
  async create(parent: ScopeParent, claim: Claim): Promise<void> {
    await mkdir(this.path, { recursive: true });
    for (const [file, value] of limitsOf(parent, claim)) {
      const written = writeFile(join(this.path, file), value, { flag: "r+" });
      // A kernel that does not account swap has no such file, and nothing to limit.
      await (file === "memory.swap.max" ? written.catch(() => undefined) : written);
    }
  }

  /** Returns the processes of the group and of groups below it. */
  async processes(): Promise<readonly number[]> {
    const folders = [this.path, ...(await foldersBelow(this.path))];
    const lists = await Promise.all(folders.map((folder) => readText(join(folder, "cgroup.procs"))));
    return lists.flatMap((list) => list.split("\n").filter(Boolean).map(Number));
  }

  /** Returns whether the kernel ended a process of the group for want of memory. */
  async hadOutOfMemoryKill(): Promise<boolean> {
    return /^oom_kill [1-9]/m.test(await readText(join(this.path, "memory.events")));
  }

  /**
   * Kills every process of the group and removes it; returns when none is left.
   * @throws Error when some process does not die within half a minute.
   */
  async kill(): Promise<void> {
    const deadline = Date.now() + KILL_TIMEOUT_MS;
    for (let pauseMs = 1; await this.#isPopulated(); pauseMs = Math.min(pauseMs * 2, 200)) {
      if (Date.now() > deadline) throw new Error(`processes ${(await this.processes()).join(", ")} do not die`);
      await this.#killOnce();
      await Bun.sleep(pauseMs);
    }
  }

  /** Removes the group, which holds no process any more. */
  async remove(): Promise<void> {
    for (const folder of (await foldersBelow(this.path)).toReversed()) await rmdir(folder).catch(() => undefined);
    for (let pauseMs = 1; pauseMs < 500; pauseMs *= 2) {
      try {
        await rmdir(this.path);
        return;
      } catch (error) {
        if (isAbsent(error)) return;
        // The last process may still be on its way out of the group.
        await Bun.sleep(pauseMs);
      }
    }
  }

  async #isPopulated(): Promise<boolean> {
    return /^populated 1$/m.test(await readText(join(this.path, "cgroup.events")));
  }

  /** Kernels before 5.14 have no cgroup.kill: there each process is killed, frozen first so that none escapes. */
  async #killOnce(): Promise<void> {
    try {
      await writeFile(join(this.path, "cgroup.kill"), "1");
    } catch {
      await writeFile(join(this.path, "cgroup.freeze"), "1").catch(() => undefined);
      for (const pid of await this.processes()) killProcess(pid);
      await writeFile(join(this.path, "cgroup.freeze"), "0").catch(() => undefined);
    }
  }
}

/** Returns the names of the workloads that have a group under `parent`. */
export async function scopeNames(parent: ScopeParent): Promise<readonly string[]> {
  const names = await readdir(parent.path).catch(() => []);
  return names.filter((name) => name.startsWith("alloc-")).map((name) => name.slice("alloc-".length));
}

/** Returns the limit files and their values. A whole node is bounded in memory and processes only. */
export function limitsOf({ controllers, pidsMax }: ScopeParent, claim: Claim): readonly (readonly [string, string])[] {
  const limits: (readonly [string, string])[] = [];
  if (controllers.includes("memory")) {
    limits.push(["memory.oom.group", "1"]);
    if (claim.memoryBytes > 0) limits.push(["memory.max", String(claim.memoryBytes)], ["memory.swap.max", "0"]);
  }
  if (controllers.includes("pids")) limits.push(["pids.max", String(pidsMax)]);
  if (controllers.includes("cpu") && !claim.isExclusive && claim.cpus > 0) {
    limits.push(["cpu.max", `${claim.cpus * CPU_PERIOD_US} ${CPU_PERIOD_US}`]);
    limits.push(["cpu.weight", String(Math.min(10_000, claim.cpus * 100))]);
  }
  return limits;
}

async function foldersBelow(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => join(path, entry.name));
  return (await Promise.all(folders.map(async (folder) => [folder, ...(await foldersBelow(folder))]))).flat();
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return "";
  }
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has gone.
  }
}

const isAbsent = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT";
