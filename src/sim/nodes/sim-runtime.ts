/**
 * Work on a fake node: it lasts for a while of virtual time, outlives the agent, and ends
 * when it is told to. Everything takes a moment, as real processes do.
 */
import type { Millis } from "../../base/brand.ts";
import type { Prng } from "../../base/prng.ts";
import type { Fence, Work } from "../../core/domain/assignment.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { RecoveredWorkload, WorkloadExit, WorkloadKey, WorkloadNote } from "../../core/domain/workload.ts";
import { workloadName } from "../../core/domain/workload.ts";
import type { LogPiece } from "../../ports/agent-link.ts";
import type { CancelTimer } from "../../ports/clock.ts";
import type { CheckpointListener, Runtime, RuntimeListener } from "../../ports/runtime.ts";
import type { Findings } from "../checkers/findings.ts";
import type { Span } from "../world/chance.ts";
import { pick, within } from "../world/chance.ts";
import type { SimProcess } from "../world/process.ts";

const STEP_MS: Span = [1, 30];
const SAVING_MS: Span = [10, 2_000];
const SIGTERM = 15;
const SIGKILL = 9;
/** The environment variable that says how long the work lasts. */
export const LASTS_MS = "SIM_LASTS_MS";

/** One workload on a node. */
interface Running {
  readonly key: WorkloadKey;
  readonly work: Work;
  readonly fence: Fence;
  state: "prepared" | "running" | "ended";
  startedAt?: Millis;
  exit?: WorkloadExit;
  note?: WorkloadNote;
  isSaved?: boolean;
  end?: CancelTimer;
}

/** What is on a node, whether its agent lives or not. */
export class SimMachine {
  readonly workloads = new Map<string, Running>();
  readonly #started = new Set<string>();
  readonly #random: Prng;
  readonly #process: SimProcess;
  readonly #findings: Findings;
  #listener: RuntimeListener | undefined;

  constructor(process: SimProcess, findings: Findings) {
    this.#process = process;
    this.#findings = findings;
    this.#random = process.world.random(`machine ${process.name}`);
  }

  /** Returns the runtime of the agent's present life. */
  runtime(): Runtime {
    return {
      limitations: [],
      recover: async (listener) => {
        await this.#step();
        this.#listener = listener;
        return [...this.workloads.values()].map(recovered);
      },
      prepare: async (key, work, fence) => {
        await this.#step();
        this.workloads.set(workloadName(key), { key, work, fence, state: "prepared" });
      },
      start: async (key, listener) => {
        await this.#step();
        this.#listener = listener;
        return this.#start(this.#find(key));
      },
      note: async (key, note) => {
        await this.#step();
        this.#find(key).note = note;
      },
      checkpoint: async (key, listener) => {
        await this.#step();
        return this.#checkpoint(this.#find(key), listener);
      },
      terminate: async (key) => {
        await this.#step();
        this.#end(this.#find(key), { signal: SIGTERM, cause: "exited" });
      },
      kill: async (key) => {
        await this.#step();
        const found = this.workloads.get(workloadName(key));
        if (found) this.#end(found, { signal: SIGKILL, cause: "exited" });
      },
      release: async (key) => {
        await this.#step();
        this.workloads.delete(workloadName(key));
      },
      probe: async () => [],
      close: async () => {
        this.#listener = undefined;
      },
      readLogs: () => NO_OUTPUT,
    };
  }

  /** The agent is gone; its work goes on. */
  detach(): void {
    this.#listener = undefined;
  }

  #start(running: Running): Millis {
    const name = workloadName(running.key);
    if (this.#started.has(name)) {
      this.#findings.add("a run starts once", `${this.#process.name} started ${name} again`);
    }
    this.#started.add(name);
    running.state = "running";
    running.startedAt = this.#process.clock.now();
    const { env } = running.work.spec;
    const { world } = this.#process;
    const ends = world.after(Number(env[LASTS_MS] ?? 0), () => this.#end(running, { exitCode: 0, cause: "exited" }));
    running.end = ends;
    world.log(this.#process.name, "work-starts", name);
    return running.startedAt;
  }

  /** Some work does not hear, some says that its state is saved, some just leaves, some is too slow. */
  #checkpoint(running: Running, listener: CheckpointListener): boolean {
    const how = pick(this.#random, ["hears nothing", "says so", "leaves", "is too slow"]);
    this.#process.world.log(this.#process.name, "work-asked", `${workloadName(running.key)} ${how}`);
    if (how === "hears nothing" || running.state !== "running") return false;
    listener.onAsking();
    const { world } = this.#process;
    const delay = within(this.#random, SAVING_MS);
    if (how === "says so") {
      world.after(delay, () => {
        if (running.state !== "running") return;
        running.isSaved = true;
        this.#process.receive(() => listener.onSaved());
      });
    }
    if (how === "leaves") world.after(delay, () => this.#end(running, { exitCode: 0, cause: "exited" }));
    return true;
  }

  #end(running: Running, exit: WorkloadExit): void {
    if (running.state !== "running") return;
    running.state = "ended";
    running.exit = exit;
    running.end?.();
    this.#process.world.log(this.#process.name, "work-ends", workloadName(running.key));
    this.#process.receive(() => this.#listener?.onExited(running.key, exit));
  }

  #find(key: WorkloadKey): Running {
    const found = this.workloads.get(workloadName(key));
    if (!found) throw new LatticeError(fault("INTERNAL", `the node has no workload ${workloadName(key)}`));
    return found;
  }

  #step(): Promise<void> {
    return new Promise((resolve) => this.#process.clock.after(within(this.#random, STEP_MS), resolve));
  }
}

const recovered = ({ key, work, fence, state, startedAt, exit, note, isSaved }: Running): RecoveredWorkload => ({
  key,
  work,
  fence,
  state,
  ...(startedAt !== undefined && { startedAt }),
  ...(exit !== undefined && { exit }),
  ...(note !== undefined && { note }),
  ...(isSaved && { isSaved }),
});

const NO_OUTPUT: AsyncIterable<LogPiece> = {
  [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }),
};
