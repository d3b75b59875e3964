/**
 * The folder of one workload: which file holds what, and who may read it. The folder
 * itself belongs to the agent, so that nobody else can put a link into it.
 *
 *   work.json     what is to run; written last, so its presence means "prepared"
 *   note.json     what a restarted agent must know besides
 *   launch.sh     runs as the user; holds the environment
 *   script        the text of a batch script
 *   stdout stderr output that the user sent nowhere else
 *   claim-N       the supervisor of the N-th try to start, as "pid starttime"
 *   child         the workload's first process, likewise
 *   launch-error  why the launch script could not start the program
 *   verdict exit  what the supervisor saw
 *   checkpoint/saved  its word that its state is saved
 *   reserve       room for exit on a disk that the output has filled
 */
import { chown, mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Fence, Work } from "../../../core/domain/assignment.ts";
import type { WorkloadExit, WorkloadKey, WorkloadNote } from "../../../core/domain/workload.ts";
import { parseExit } from "./exit-record.ts";
import type { ProcessId } from "./process-table.ts";
import { parseProcessId } from "./process-table.ts";

/** Where the output is, for whoever asks for it; outlives the workload. */
export interface OutputRecord {
  /** The user's own files; absent for those in the folder. */
  readonly stdoutPath?: string;
  readonly stderrPath?: string;
  /** Standard error goes where standard output goes. */
  readonly isJoined: boolean;
  /** Owner that a user's file must have to be read back. */
  readonly uid: number;
}

/** Everything that recovery needs. */
export interface WorkRecord {
  readonly version: 1;
  readonly key: WorkloadKey;
  readonly work: Work;
  readonly fence: Fence;
  readonly output: OutputRecord;
  readonly owner: Owner;
}

/** Who owns the files that the user's processes read and write. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const OWNER_ONLY = 0o600;
const CHECKPOINT = "checkpoint";

/** One workload's folder. */
export class WorkloadFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** Makes the folder: others may pass through it to files of their own, and list nothing. */
  async create(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
    await mkdir(this.path, { recursive: true, mode: 0o711 });
  }

  /** Writes a file that the user's processes use. */
  async writeOwned(name: string, text: string, access: { readonly mode: number; readonly owner: Owner }) {
    const file = await open(this.file(name), "wx", access.mode);
    try {
      if (text !== "") await file.writeFile(text);
      if (process.getuid?.() === 0) await file.chown(access.owner.uid, access.owner.gid);
      await file.chmod(access.mode);
    } finally {
      await file.close();
    }
  }

  /** Makes the folder in which the workload gives its word that its state is saved. */
  async createCheckpoint(owner: Owner): Promise<void> {
    const path = this.file(CHECKPOINT);
    await mkdir(path, { mode: 0o700 });
    if (process.getuid?.() === 0) await chown(path, owner.uid, owner.gid);
  }

  /** The file that says so once it is there. */
  get checkpointMarker(): string {
    return this.file(`${CHECKPOINT}/saved`);
  }

  /** Whether the workload says that its state is saved. */
  async isCheckpointed(): Promise<boolean> {
    return (await this.writtenAt(`${CHECKPOINT}/saved`)) !== undefined;
  }

  /** Records the work: from here on a restarted agent knows it as prepared. */
  writeWork(record: WorkRecord): Promise<void> {
    return this.#replace("work.json", JSON.stringify(record));
  }

  writeNote(note: WorkloadNote): Promise<void> {
    return this.#replace("note.json", JSON.stringify(note));
  }

  async readWork(): Promise<WorkRecord | undefined> {
    const record = await this.#readJson<WorkRecord>("work.json");
    return record?.version === 1 ? record : undefined;
  }

  readNote(): Promise<WorkloadNote | undefined> {
    return this.#readJson<WorkloadNote>("note.json");
  }

  readOutput(): Promise<OutputRecord | undefined> {
    return this.#readJson<OutputRecord>("output.json");
  }

  /** Returns the process that holds a claim or is named by `child`. */
  async readProcessId(name: string): Promise<ProcessId | undefined> {
    return parseProcessId(await this.readText(name));
  }

  /** Returns when a file was last written, or undefined when it is not there. */
  async writtenAt(name: string): Promise<number | undefined> {
    try {
      return (await stat(this.file(name))).mtimeMs;
    } catch {
      return undefined;
    }
  }

  /** Returns how the workload ended, or undefined while the supervisor has not said. */
  async readExit(): Promise<WorkloadExit | undefined> {
    const status = await this.readText("exit");
    if (!status.endsWith("\n")) return undefined;
    const [verdict, launchError] = await Promise.all([this.readText("verdict"), this.readText("launch-error")]);
    return parseExit({ status, verdict, launchError });
  }

  async readText(name: string): Promise<string> {
    try {
      return await readFile(this.file(name), "utf8");
    } catch {
      return "";
    }
  }

  /** Takes the place of the supervisor that never came; false when it did come. */
  async takeClaim(name: string): Promise<boolean> {
    try {
      await writeFile(this.file(name), "agent\n", { flag: "wx" });
      return true;
    } catch {
      return false;
    }
  }

  /** Drops all but the output, and moves what is left to `destination`. */
  async retire(destination: string, output: OutputRecord): Promise<void> {
    // Room first: the output may have filled the disk.
    await this.#drop(["reserve", "script", "launch.sh"]);
    await this.#replace("output.json", JSON.stringify(output));
    await rm(this.file(CHECKPOINT), { recursive: true, force: true });
    await this.#drop(["work.json", "note.json", "child", "launch-error", "verdict", "exit"]);
    await rm(destination, { recursive: true, force: true });
    await rename(this.path, destination);
  }

  async #drop(names: readonly string[]): Promise<void> {
    for (const name of names) await rm(this.file(name), { force: true });
  }

  remove(): Promise<void> {
    return rm(this.path, { recursive: true, force: true });
  }

  async #replace(name: string, text: string): Promise<void> {
    await writeFile(this.file(`${name}.new`), text, { mode: OWNER_ONLY });
    await rename(this.file(`${name}.new`), this.file(name));
  }

  /** A file of the agent's own making: what is in it has the type it was written with. */
  async #readJson<T>(name: string): Promise<T | undefined> {
    try {
      return JSON.parse(await readFile(this.file(name), "utf8")) as T;
    } catch {
      return undefined;
    }
  }
}
