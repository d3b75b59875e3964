/**
 * The runtime port over plain processes: each workload has a folder in the state directory
 * and a supervising shell, so it goes on and is found again when the agent dies.
 */
import { mkdir, readdir, stat, statfs, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Millis } from "../../../base/brand.ts";
import { millis } from "../../../base/brand.ts";
import type { Fence, Work } from "../../../core/domain/assignment.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import type { RecoveredWorkload, WorkloadExit, WorkloadKey, WorkloadNote } from "../../../core/domain/workload.ts";
import { workloadName } from "../../../core/domain/workload.ts";
import type { LogPiece, LogRequest } from "../../../ports/agent-link.ts";
import type { Logger } from "../../../ports/log.ts";
import type { CheckpointListener, Runtime, RuntimeListener } from "../../../ports/runtime.ts";
import { SUPERVISOR_SCRIPT } from "../supervisor-script.ts";
import type { Accounts } from "./account.ts";
import type { Containment } from "./containment.ts";
import { readLogs } from "./log-reader.ts";
import type { ProcessId } from "./process-table.ts";
import { isAlive, signalProcess, takesSignal } from "./process-table.ts";
import { stage } from "./stage-workload.ts";
import { findSupervisor, followSupervisor, freeClaim } from "./supervisor-claim.ts";
import type { OutputRecord } from "./workload-folder.ts";
import { WorkloadFolder } from "./workload-folder.ts";

/** What the runtime works with. */
export interface ProcessRuntimeOptions {
  readonly stateDir: string;
  readonly containment: Containment;
  /** Undefined when the agent is not root: then everything runs as the agent. */
  readonly accounts: Accounts | undefined;
  readonly log: Logger;
}

/** A workload that this process knows. */
interface Tracked {
  readonly folder: WorkloadFolder;
  readonly output: OutputRecord;
  readonly owner: { readonly uid: number; readonly gid: number };
  isStarted: boolean;
  isSupervisorGone: boolean;
}

const OUTPUT_KEEP_MS = 7 * 24 * 3_600_000;
const SWEEP_MS = 3_600_000;
/** With less than this on the disk of the state directory, no work is taken. */
const FREE_BYTES_MIN = 64 * 1024 ** 2;
const SIGUSR1 = 10;
/** Between two looks for the word of a workload. */
const MARKER_PAUSE_MS = 100;
const TOOLS = "/usr/bin:/bin:/usr/sbin:/sbin";

/** Runs workloads as processes of this machine. */
export class ProcessRuntime implements Runtime {
  readonly limitations: readonly string[];
  readonly #options: ProcessRuntimeOptions;
  readonly #tracked = new Map<string, Tracked>();
  readonly #setsid: string;
  readonly #setpriv: string;
  #closedFolder: string | undefined;
  #isClosed = false;
  #sweeping: ReturnType<typeof setInterval> | undefined;

  /** @throws NOT_SUPPORTED when a program that it needs is missing. */
  constructor(options: ProcessRuntimeOptions) {
    this.#options = options;
    this.#setsid = tool("setsid");
    this.#setpriv = options.accounts ? tool("setpriv") : "";
    const asItself = "the agent is not root: all work runs as the agent's own user";
    this.limitations = [...(options.accounts ? [] : [asItself]), ...options.containment.limitations];
  }

  async recover(listener: RuntimeListener): Promise<readonly RecoveredWorkload[]> {
    const { stateDir, containment, log } = this.#options;
    await mkdir(this.#activeDir, { recursive: true, mode: 0o711 });
    await mkdir(this.#outputDir, { recursive: true, mode: 0o711 });
    await writeFile(join(stateDir, "supervisor.sh"), SUPERVISOR_SCRIPT, { mode: 0o555 });
    this.#closedFolder = await findClosedFolder(stateDir);
    const names = await readdir(this.#activeDir);
    const found = await Promise.all(names.map((name) => this.#recoverOne(name, listener)));
    const known = new Set(this.#tracked.keys());
    for (const name of await containment.killStrays(known)) log.warn("killed a workload that nobody knows", { name });
    await this.#sweepOutput();
    const sweep = () => this.#sweepOutput().catch((error) => log.warn("output is not swept", { error }));
    this.#sweeping = setInterval(sweep, SWEEP_MS);
    this.#sweeping.unref();
    return found.filter((workload) => workload !== undefined);
  }

  async prepare(key: WorkloadKey, work: Work, fence: Fence): Promise<void> {
    const name = workloadName(key);
    const folder = new WorkloadFolder(join(this.#activeDir, name));
    const { accounts } = this.#options;
    const staged = await stage({ key, work, fence, folder, accounts, closedFolder: this.#closedFolder });
    if (staged.skipped.length > 0) {
      this.#options.log.warn("environment variables cannot be passed on", { name, variables: staged.skipped });
    }
    this.#track(name, { folder, output: staged.record.output, owner: staged.record.owner });
  }

  async start(key: WorkloadKey, listener: RuntimeListener): Promise<Millis> {
    const name = workloadName(key);
    const tracked = this.#get(key);
    const { containment, stateDir } = this.#options;
    const { claim } = (await tracked.folder.readWork())?.work ?? {};
    if (claim === undefined) throw new LatticeError(fault("INTERNAL", `the record of ${name} cannot be read`));
    await containment.create(name, claim);
    const ids = this.#options.accounts ? [String(tracked.owner.uid), String(tracked.owner.gid)] : ["", ""];
    const claimFile = await freeClaim(tracked.folder);
    const command = ["/bin/sh", join(stateDir, "supervisor.sh"), tracked.folder.path, claimFile];
    const supervisor = Bun.spawn([...command, containment.procsFile(name), this.#setsid, this.#setpriv, ...ids], {
      cwd: "/",
      env: { PATH: TOOLS, LC_ALL: "C" },
      stdio: ["ignore", "ignore", "ignore"],
      detached: true,
    });
    supervisor.unref();
    tracked.isStarted = true;
    const startedAt = millis(Date.now());
    supervisor.exited.then(() => this.#onSupervisorGone(key, tracked, listener));
    return startedAt;
  }

  async note(key: WorkloadKey, note: WorkloadNote): Promise<void> {
    await this.#tracked.get(workloadName(key))?.folder.writeNote(note);
  }

  async checkpoint(key: WorkloadKey, listener: CheckpointListener): Promise<boolean> {
    const tracked = this.#get(key);
    const first = await this.#firstProcess(tracked);
    const pids = await this.#options.containment.processes(workloadName(key), first);
    const takes = await Promise.all(pids.map((pid) => takesSignal(pid, SIGUSR1)));
    const hearers = pids.filter((_, i) => takes[i]);
    // Its word counts also where it was given before the question.
    const isSaved = await tracked.folder.isCheckpointed();
    if (hearers.length === 0 && !isSaved) return false;
    listener.onAsking();
    for (const pid of hearers) signalProcess(pid, "SIGUSR1");
    void this.#awaitMarker(tracked, listener);
    return true;
  }

  async terminate(key: WorkloadKey): Promise<void> {
    const tracked = this.#get(key);
    const first = await this.#firstProcess(tracked);
    const pids = await this.#options.containment.processes(workloadName(key), first);
    for (const pid of pids) signalProcess(pid, "SIGTERM");
    // A stopped process takes the signal only when it goes on.
    for (const pid of pids) signalProcess(pid, "SIGCONT");
  }

  async kill(key: WorkloadKey): Promise<void> {
    const tracked = this.#get(key);
    const first = await this.#firstProcess(tracked);
    await this.#options.containment.kill(workloadName(key), first);
  }

  async release(key: WorkloadKey): Promise<void> {
    const name = workloadName(key);
    const tracked = this.#tracked.get(name);
    if (tracked === undefined) return;
    if (tracked.isStarted) await tracked.folder.retire(join(this.#outputDir, name), tracked.output);
    else await tracked.folder.remove();
    // Last, so that at any moment either the entry or the retired folder leads to the output.
    this.#tracked.delete(name);
  }

  async probe(): Promise<readonly string[]> {
    const { stateDir, containment } = this.#options;
    const problems = await Promise.all([
      problemOf(`${stateDir} has no room for work`, () => checkSpace(stateDir)),
      problemOf(`${stateDir} cannot be written`, () => writeFile(join(stateDir, "probe"), "probe\n")),
      problemOf("control groups cannot be made", () => containment.probe()),
    ]);
    return problems.filter((problem) => problem !== undefined);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#sweeping);
    await this.#options.containment.close();
  }

  readLogs(request: LogRequest, signal: AbortSignal): AsyncIterable<LogPiece> {
    const name = workloadName(request);
    const isEnded = () => this.#tracked.get(name)?.isSupervisorGone ?? true;
    const folders = [this.#activeDir, this.#outputDir].map((parent) => new WorkloadFolder(join(parent, name)));
    return readLogs({ request, signal, folders, output: this.#tracked.get(name)?.output, isEnded });
  }

  get #activeDir(): string {
    return join(this.#options.stateDir, "workloads");
  }

  get #outputDir(): string {
    return join(this.#options.stateDir, "output");
  }

  #get(key: WorkloadKey): Tracked {
    const tracked = this.#tracked.get(workloadName(key));
    if (tracked === undefined) throw new LatticeError(fault("INTERNAL", `${workloadName(key)} is not prepared`));
    return tracked;
  }

  #track(name: string, workload: Pick<Tracked, "folder" | "output" | "owner">): Tracked {
    const tracked: Tracked = { ...workload, isStarted: false, isSupervisorGone: false };
    this.#tracked.set(name, tracked);
    return tracked;
  }

  async #awaitMarker(tracked: Tracked, listener: CheckpointListener): Promise<void> {
    while (!tracked.isSupervisorGone && !this.#isClosed) {
      if (await tracked.folder.isCheckpointed()) return listener.onSaved();
      await Bun.sleep(MARKER_PAUSE_MS);
    }
  }

  /** The workload's first process may not be there yet: nothing that ends it may overtake its start. */
  async #firstProcess(tracked: Tracked): Promise<ProcessId | undefined> {
    for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 50)) {
      const isOver = !tracked.isStarted || tracked.isSupervisorGone;
      const first = await tracked.folder.readProcessId("child");
      if (first !== undefined || isOver) return first;
      await Bun.sleep(pauseMs);
    }
  }

  async #onSupervisorGone(key: WorkloadKey, tracked: Tracked, listener: RuntimeListener): Promise<void> {
    tracked.isSupervisorGone = true;
    listener.onExited(key, await this.#exitOf(workloadName(key), tracked.folder));
  }

  async #exitOf(name: string, folder: WorkloadFolder): Promise<WorkloadExit> {
    const exit = await folder.readExit();
    if (exit === undefined) return { cause: "supervisor_lost", detail: "the supervisor of the workload was killed" };
    const isKilled = exit.signal === 9 || (exit.exitCode ?? 0) > 128;
    const isOutOfMemory = isKilled && (await this.#options.containment.hadOutOfMemoryKill(name));
    return isOutOfMemory
      ? { ...exit, cause: "out_of_memory", detail: "it used more memory than it was granted" }
      : exit;
  }

  async #recoverOne(name: string, listener: RuntimeListener): Promise<RecoveredWorkload | undefined> {
    const folder = new WorkloadFolder(join(this.#activeDir, name));
    const record = await folder.readWork();
    if (record === undefined) {
      await folder.remove();
      return undefined;
    }
    const { key, work, fence, output, owner } = record;
    const tracked = this.#track(name, { folder, output, owner });
    const note = await folder.readNote();
    const isSaved = await folder.isCheckpointed();
    const base = { key, work, fence, ...(note && { note }), ...(isSaved && { isSaved }) };
    const claimed = await findSupervisor(folder);
    if (claimed === undefined) return { ...base, state: "prepared" };
    tracked.isStarted = true;
    const startedAt = millis((await folder.writtenAt(claimed.claim)) ?? Date.now());
    if (await isAlive(claimed.supervisor)) {
      const gone = followSupervisor(folder, claimed.supervisor);
      gone.then(() => this.#onSupervisorGone(key, tracked, listener));
      return { ...base, state: "running", startedAt };
    }
    tracked.isSupervisorGone = true;
    return { ...base, state: "ended", startedAt, exit: await this.#exitOf(name, folder) };
  }

  async #sweepOutput(): Promise<void> {
    const oldest = Date.now() - OUTPUT_KEEP_MS;
    for (const name of await readdir(this.#outputDir)) {
      const folder = new WorkloadFolder(join(this.#outputDir, name));
      if (((await folder.writtenAt("output.json")) ?? 0) < oldest) await folder.remove();
    }
  }
}

function tool(name: string): string {
  const path = Bun.which(name, { PATH: TOOLS });
  if (path === null) throw new LatticeError(fault("NOT_SUPPORTED", `${name} is not installed`, "install util-linux"));
  return path;
}

/** Returns the first folder on the way to `path` that users other than its owner cannot enter. */
async function findClosedFolder(path: string): Promise<string | undefined> {
  const above = dirname(path) === path ? undefined : await findClosedFolder(dirname(path));
  return above ?? (((await stat(path)).mode & 0o001) === 0 ? path : undefined);
}

async function checkSpace(path: string): Promise<void> {
  const found = await statfs(path).catch(() => undefined);
  // A folder that is gone or unreadable is told by the attempt to write there.
  if (found === undefined) return;
  const { bavail, bsize } = found;
  if (bavail * bsize < FREE_BYTES_MIN) throw new Error(`less than ${FREE_BYTES_MIN / 1024 ** 2} MiB are free`);
}

async function problemOf(what: string, attempt: () => Promise<void>): Promise<string | undefined> {
  try {
    await attempt();
    return undefined;
  } catch (error) {
    return `${what}: ${error instanceof Error ? error.message : String(error)}`;
  }
}
