/**
 * Replays a trace: events in simulated time, ends before arrivals, one scheduling pass at
 * each distinct time. The pass is the production `decide`, the rest the production state
 * machine; here is only what stands for users (arrivals) and nodes (ends).
 */
import { present } from "../base/assert.ts";
import type { Millis } from "../base/brand.ts";
import { millis } from "../base/brand.ts";
import type { AllocationId } from "../core/domain/ids.ts";
import { decide } from "../core/scheduler/plan.ts";
import type { Policy } from "../core/scheduler/policy.ts";
import type { Ended } from "./cluster.ts";
import { Cluster } from "./cluster.ts";
import { EventHeap } from "./event-heap.ts";
import type { Machine } from "./machine.ts";
import type { Trace, TraceJob } from "./trace.ts";

/** How the walltimes that the scheduler sees are made. */
export const ESTIMATES = ["trace", "exact"] as const;
/** `trace`: what users asked for, or the run time where the trace does not say. `exact`: the run time. */
export type Estimate = (typeof ESTIMATES)[number];

/** How a trace is replayed. */
export interface ReplayOptions {
  readonly policy: Policy;
  readonly estimate: Estimate;
  /** Whether what does not start at once is dropped. */
  readonly isImpatient?: boolean;
  /** Called now and then with how many jobs have ended. */
  readonly onProgress?: (ended: number) => void;
}

/** How one job went. */
export interface JobRun {
  readonly job: TraceJob;
  readonly startedAt: Millis;
  readonly endedAt: Millis;
  /** By the names of the nodes. */
  readonly nodes: readonly string[];
  /** Of the processors of the machine, what it held. */
  readonly share: number;
  /** Whether something submitted before it still waited. */
  readonly hasOvertaken: boolean;
  readonly hasOutlastedWalltime: boolean;
}

/** The machine from a time on. */
export interface Sample {
  readonly at: Millis;
  /** Of the processors of the machine, what is held. */
  readonly busy: number;
  readonly waiting: number;
}

/** How a replay went. */
export interface Replay {
  /** In the order of submission. */
  readonly runs: readonly JobRun[];
  /** One for each pass. */
  readonly samples: readonly Sample[];
  /** Jobs that never started: too wide, or the machine was not free for them. */
  readonly unplaced: readonly TraceJob[];
  /** The most GPUs that were held at one time, in thousandths. */
  readonly gpuMilliMax: number;
  /** Returns the hash of the whole state at the end: equal runs have equal hashes. */
  readonly stateHash: () => string;
}

/** Replays `trace` on `machine`. */
export function simulate(trace: Trace, machine: Machine, options: ReplayOptions): Replay {
  return new Simulation(trace.jobs, machine, options).run();
}

interface Waiting {
  readonly at: number;
  readonly job: TraceJob;
  readonly walltimeMs: Millis;
}

interface Running extends Ended {
  readonly at: number;
}

class Simulation {
  readonly #jobs: readonly TraceJob[];
  readonly #options: ReplayOptions;
  readonly #cluster: Cluster;
  readonly #waiting = new Map<AllocationId, Waiting>();
  readonly #ends = new EventHeap<Running>();
  readonly #runs: (JobRun | undefined)[];
  /** By job: whether it has started, or was dropped. */
  readonly #isSettled: boolean[];
  readonly #samples: Sample[] = [];
  #arrived = 0;
  #ended = 0;
  readonly #cpus: number;
  #cpusHeld = 0;
  #gpuMilliHeld = 0;
  #gpuMilliMax = 0;
  /** Of those that have arrived, the first that still waits. */
  #oldest = 0;

  constructor(jobs: readonly TraceJob[], machine: Machine, options: ReplayOptions) {
    this.#cpus = machine.nodes.reduce((sum, { capacity }) => sum + capacity.cpus, 0);
    this.#jobs = jobs.filter(({ nodes }) => nodes <= machine.nodes.length);
    this.#options = options;
    this.#cluster = new Cluster(machine);
    this.#runs = this.#jobs.map(() => undefined);
    this.#isSettled = this.#jobs.map(() => false);
  }

  run(): Replay {
    for (let now = this.#next(); now < Number.POSITIVE_INFINITY; now = this.#next()) {
      this.#cluster.setTime(millis(now));
      this.#endAll(now);
      this.#submitAll(now);
      this.#pass(millis(now));
      if (this.#options.isImpatient && this.#waiting.size > 0) this.#drop();
      this.#samples.push({ at: millis(now), busy: this.#cpusHeld / this.#cpus, waiting: this.#waiting.size });
    }
    const runs = this.#runs.filter((run) => run !== undefined);
    const unplaced = this.#jobs.filter((_, at) => this.#runs[at] === undefined);
    const stateHash = (): string => this.#cluster.hash();
    return { runs, samples: this.#samples, unplaced, gpuMilliMax: this.#gpuMilliMax, stateHash };
  }

  #next(): number {
    return Math.min(this.#jobs[this.#arrived]?.submittedAt ?? Number.POSITIVE_INFINITY, this.#ends.earliest);
  }

  #endAll(now: number): void {
    if (this.#ends.earliest > now) return;
    const ended: Running[] = [];
    while (this.#ends.earliest <= now) ended.push(present(this.#ends.pop(), "an end is missing"));
    this.#cluster.end(ended);
    for (const { claims } of ended) this.#hold(claims, -1);
    const before = this.#ended;
    this.#ended += ended.length;
    if (Math.floor(before / PROGRESS_STEP) < Math.floor(this.#ended / PROGRESS_STEP)) {
      this.#options.onProgress?.(this.#ended);
    }
  }

  #hold(claims: Ended["claims"], sign: 1 | -1): void {
    for (const { cpus, gpuMilli } of claims) {
      this.#cpusHeld += sign * cpus;
      this.#gpuMilliHeld += sign * gpuMilli;
    }
    this.#gpuMilliMax = Math.max(this.#gpuMilliMax, this.#gpuMilliHeld);
  }

  #drop(): void {
    this.#cluster.cancel([...this.#waiting.keys()]);
    for (const { at } of this.#waiting.values()) this.#isSettled[at] = true;
    this.#waiting.clear();
  }

  #submitAll(now: number): void {
    for (let job = this.#jobs[this.#arrived]; job && job.submittedAt <= now; job = this.#jobs[this.#arrived]) {
      const walltimeMs = walltimeOf(job, this.#options.estimate);
      const id = this.#cluster.submit(job, walltimeMs);
      this.#waiting.set(id, { at: this.#arrived, job, walltimeMs });
      this.#arrived++;
    }
  }

  #pass(now: Millis): void {
    const decisions = decide(this.#cluster.view(), this.#options.policy, now);
    if (decisions.length === 0) return;
    const refused = this.#cluster.place(decisions);
    const started = decisions.filter(({ allocation }) => !refused.has(allocation));
    for (const { allocation } of started) {
      this.#isSettled[present(this.#waiting.get(allocation), `${allocation} does not wait`).at] = true;
    }
    while (this.#isSettled[this.#oldest]) this.#oldest++;
    for (const { allocation, claims } of started) this.#start(allocation, claims, now);
  }

  #start(id: AllocationId, claims: Ended["claims"], now: Millis): void {
    const { at, job, walltimeMs } = present(this.#waiting.get(id), `${id} does not wait`);
    this.#waiting.delete(id);
    const hasOutlastedWalltime = walltimeMs > 0 && job.runMs > walltimeMs;
    const endedAt = now + (hasOutlastedWalltime ? walltimeMs : job.runMs);
    this.#runs[at] = {
      job,
      startedAt: now,
      endedAt: millis(endedAt),
      nodes: claims.map(({ nodeId }) => String(nodeId)),
      share: claims.reduce((sum, { cpus }) => sum + cpus, 0) / this.#cpus,
      hasOvertaken: at > this.#oldest,
      hasOutlastedWalltime,
    };
    this.#hold(claims, 1);
    if (endedAt < Number.POSITIVE_INFINITY) this.#ends.push(endedAt, { at, id, claims, hasOutlastedWalltime });
  }
}

const PROGRESS_STEP = 100;

/** Returns the limit that the scheduler sees. */
const walltimeOf = ({ runMs, walltimeMs }: TraceJob, estimate: Estimate): Millis => {
  if (estimate === "trace" && walltimeMs > 0) return walltimeMs;
  return runMs < Number.POSITIVE_INFINITY ? millis(runMs) : millis(0);
};
