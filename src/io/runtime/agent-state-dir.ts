/**
 * The agent's state directory: who the agent is, what it must remember, and the lock that
 * keeps a second agent away from it.
 */
import { Database } from "bun:sqlite";
import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentMemory } from "../../core/agent/agent.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { AgentStore } from "../../ports/agent-store.ts";

/** A state directory that this process owns. */
export interface AgentStateDir {
  readonly path: string;
  /** Made once for the directory: tells installations apart that claim one node name. */
  readonly instanceId: string;
  readonly store: AgentStore;
  /** Lets another agent have the directory; the end of the process does so too. */
  unlock(): void;
}

/**
 * Opens the directory, making it if need be.
 * @throws ALREADY_EXISTS when a living agent owns it, INTERNAL when it cannot be written.
 */
export async function openStateDir(path: string): Promise<AgentStateDir> {
  try {
    // Users' processes pass through to files of their own; they cannot list it.
    await mkdir(path, { recursive: true, mode: 0o711 });
    const database = lock(path);
    held.add(database);
    const instanceId = await readInstanceId(join(path, "instance-id"));
    return { path, instanceId, store: storeAt(join(path, "memory.json")), unlock: () => unlock(database) };
  } catch (error) {
    if (error instanceof LatticeError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    const advice = "choose a directory that the agent may write with --state-dir";
    throw new LatticeError(fault("INTERNAL", `the state directory ${path} cannot be used: ${reason}`, advice));
  }
}

/** A database that is collected as garbage is closed, and its lock with it. */
const held = new Set<Database>();

function unlock(database: Database): void {
  held.delete(database);
  database.close();
}

/** Locks that file systems give up by themselves when a process dies are what SQLite is built on. */
function lock(path: string): Database {
  const database = new Database(join(path, "agent.lock"));
  try {
    database.run("PRAGMA journal_mode = MEMORY");
    database.run("PRAGMA locking_mode = EXCLUSIVE");
    database.run("BEGIN EXCLUSIVE");
    return database;
  } catch {
    const message = `another agent uses the state directory ${path}`;
    throw new LatticeError(fault("INTERNAL", message, "give each agent its own --state-dir"));
  }
}

async function readInstanceId(file: string): Promise<string> {
  const known = (await readFile(file, "utf8").catch(() => "")).trim();
  if (known !== "") return known;
  const fresh = randomUUID();
  await writeFile(file, `${fresh}\n`);
  return fresh;
}

function storeAt(file: string): AgentStore {
  return {
    async load() {
      try {
        return JSON.parse(await readFile(file, "utf8")) as AgentMemory;
      } catch {
        return undefined;
      }
    },
    async save(memory) {
      await writeFile(`${file}.new`, JSON.stringify(memory), { mode: 0o600 });
      await rename(`${file}.new`, file);
    },
  };
}
