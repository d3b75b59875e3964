/**
 * Finds the cgroup v2 hierarchy and a folder in it that this agent may fill. A folder is
 * believed only when its file system says cgroup2: /sys/fs/cgroup may be a plain tmpfs,
 * where mkdir works and nothing is controlled.
 */
import { mkdir, readFile, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";

const CGROUP2_MAGIC = 0x63677270;
const CANDIDATES = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/** What the limits of a workload need. */
const WANTED = ["memory", "pids", "cpu"] as const;

/** Enough for wide nodes. */
const PIDS_MAX = 131_072;

/** A controller of the kernel that limits a resource. */
export type Controller = (typeof WANTED)[number];

/** A folder whose children are workloads' scopes. */
export interface ScopeParent {
  readonly path: string;
  readonly controllers: readonly Controller[];
  /** Processes and threads of one workload at most. */
  readonly pidsMax: number;
}

/** Returns the mount point of the cgroup v2 hierarchy, or undefined when there is none. */
export async function findHierarchy(candidates: readonly string[] = CANDIDATES): Promise<string | undefined> {
  for (const path of candidates) {
    try {
      if ((await statfs(path)).type === CGROUP2_MAGIC) return path;
    } catch {
      // Not mounted here.
    }
  }
  return undefined;
}

/**
 * Makes the folder `lattice/<owner>` and enables what controllers it can on the way down.
 * @throws the system's error when the hierarchy cannot be written.
 */
export async function makeScopeParent(hierarchy: string, owner: string): Promise<ScopeParent> {
  const top = join(await ownGround(hierarchy), "lattice");
  const path = join(top, owner);
  await mkdir(path, { recursive: true });
  for (const folder of [join(top, ".."), top, path]) await enableControllers(folder);
  const enabled = await readWords(join(path, "cgroup.subtree_control"));
  return { path, controllers: WANTED.filter((name) => enabled.includes(name)), pidsMax: await findPidsMax() };
}

/** Half of what the machine has: one workload cannot keep the agent from starting another process. */
async function findPidsMax(): Promise<number> {
  const texts = await Promise.all(["pid_max", "threads-max"].map((name) => readText(`/proc/sys/kernel/${name}`)));
  const limits = texts.map((text) => Number.parseInt(text, 10)).filter((limit) => limit > 0);
  return Math.floor(Math.min(PIDS_MAX, ...limits) / 2);
}

/**
 * Where systemd gave this agent a subtree and put the agent itself into a leaf of it
 * (DelegateSubgroup=), that subtree is used. Else the root of the hierarchy: a unit's own
 * group must not get controllers for children while systemd starts processes in it.
 */
async function ownGround(hierarchy: string): Promise<string> {
  const line = (await readText("/proc/self/cgroup")).split("\n").find((text) => text.startsWith("0::"));
  const own = line?.slice("0::".length) ?? "/";
  const parent = join(hierarchy, own, "..");
  if (own === "/" || !own.endsWith(".service/agent")) return hierarchy;
  const processes = await readText(join(parent, "cgroup.procs"));
  return processes.trim() === "" ? parent : hierarchy;
}

async function enableControllers(folder: string): Promise<void> {
  const [available, enabled] = await Promise.all([
    readWords(join(folder, "cgroup.controllers")),
    readWords(join(folder, "cgroup.subtree_control")),
  ]);
  for (const name of WANTED) {
    if (!available.includes(name) || enabled.includes(name)) continue;
    // Each alone: one that is refused must not keep the others away.
    await writeFile(join(folder, "cgroup.subtree_control"), `+${name}`).catch(() => undefined);
  }
}

const readWords = async (path: string): Promise<readonly string[]> => (await readText(path)).split(/\s+/);

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return "";
  }
}
