/**
 * Replays a trace: events in simulated time, ends before arrivals, one scheduling pass at
 * each distinct time. The pass is the production `decide`, the rest the production state
 * machine; here is only what stands for users (arrivals) and nodes (ends).
 */
import { present } from "../base/assert.ts";
import type { Millis } from "../base/brand.ts";
import { millis } from "../base/brand.ts";
import type { Prng } from "../base/prng.ts";
import type { AllocationId } from "../core/domain/ids.ts";
import type { Decision } from "../core/domain/view.ts";
import { decide, estimateStart } from "../core/scheduler/plan.ts";
import type { Policy } from "../core/scheduler/policy.ts";
import { planPreemption, startHolders } from "../core/scheduler/preempt.ts";
import { rankedQueue } from "../core/scheduler/queue.ts";
import type { Ended } from "./cluster.ts";
import { Cluster } from "./cluster.ts";
import { EventHeap } from "./event-heap.ts";
import type { Machine } from "./machine.ts";
import type { Trace, TraceJob } from "./trace.ts";

/** How the walltimes that the scheduler sees are made. */
export const ESTIMATES = ["trace", "exact", "double", "random"] as const;
/**
 * `trace`: what users asked for, or the run time where the trace does not say. `exact`: the
 * run time. `double`: twice that. `random`: up to ten times that, evenly drawn, as people
 * are off by (the f-model of Mu'alem and Feitelson, IEEE TPDS 2001).
 */
export type Estimate = (typeof ESTIMATES)[number];

/** How a trace is replayed. */
export interface ReplayOptions {
  readonly policy: Policy;
  readonly estimate: Estimate;
  /** Where random estimates are drawn from; needed for those alone. */
  readonly draw?: Prng;
  /** Whether what does not start at once is dropped. */
  readonly isImpatient?: boolean;
  /** Of how many jobs that wait the estimated start is taken down, evenly over the trace; none where it is left out. */
  readonly estimatesTaken?: number;
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
  /** How often it had to make room before, and begin anew. */
  readonly preemptedCount: number;
  /** What `explain` would have said after its submission; of samples only. */
  readonly estimatedStart?: Millis;
}

/** The machine from a time on. */
export interface Sample {
  readonly at: Millis;
  /** Of the processors of the machine, what is held. */
  readonly busy: number;
  /** Of the GPUs, what is held; 0 where there are none. */
  readonly gpusBusy: number;
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
  /** From 1: one more for each time that it made room. */
  readonly attempt: number;
  estimatedStart?: Millis;
}

interface Running extends Ended {
  readonly at: number;
  readonly waited: Waiting;
  /** It made room before its end. */
  isGone: boolean;
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
  readonly #gpuMilli: number;
  /** What may have to make room, where the policy has preemption. */
  readonly #displaceable = new Map<AllocationId, Running>();
  /** Every so many jobs one is asked for its estimated start. */
  readonly #estimateStep: number;
  readonly #asked: AllocationId[] = [];
  #cpusHeld = 0;
  #gpuMilliHeld = 0;
  #gpuMilliMax = 0;
  /** Of those that have arrived, the first that still waits. */
  #oldest = 0;

  constructor(jobs: readonly TraceJob[], machine: Machine, options: ReplayOptions) {
    this.#cpus = machine.nodes.reduce((sum, { capacity }) => sum + capacity.cpus, 0);
    this.#gpuMilli = machine.nodes.reduce((sum, { capacity }) => sum + capacity.gpuMilli, 0);
    const { estimatesTaken = 0 } = options;
    this.#estimateStep = estimatesTaken > 0 ? Math.ceil(jobs.length / estimatesTaken) : Number.POSITIVE_INFINITY;
    this.#jobs = jobs.filter(({ nodes }) => nodes <= machine.nodes.length);
    this.#options = options;
    this.#cluster = new Cluster(machine, options.policy.preemption !== undefined);
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
      this.#samples.push({
        at: millis(now),
        busy: this.#cpusHeld / this.#cpus,
        gpusBusy: this.#gpuMilli > 0 ? this.#gpuMilliHeld / this.#gpuMilli : 0,
        waiting: this.#waiting.size,
      });
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
    while (this.#ends.earliest <= now) {
      const end = present(this.#ends.pop(), "an end is missing");
      if (!end.isGone) ended.push(end);
    }
    this.#cluster.end(ended);
    for (const { id, claims } of ended) {
      this.#hold(claims, -1);
      this.#displaceable.delete(id);
    }
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
      const walltimeMs = walltimeOf(job, this.#options);
      const id = this.#cluster.submit(job, walltimeMs);
      this.#waiting.set(id, { at: this.#arrived, job, walltimeMs, attempt: 1 });
      if (this.#arrived % this.#estimateStep === 0) this.#asked.push(id);
      this.#arrived++;
    }
  }

  #pass(now: Millis): void {
    const { policy } = this.#options;
    if (policy.preemption) this.#place(startHolders(this.#cluster.view(), now), now);
    this.#place(decide(this.#cluster.view(), policy, now), now);
    for (let isFinding = policy.preemption !== undefined; isFinding; ) isFinding = this.#preempt(now);
    for (const id of this.#asked.splice(0)) this.#estimate(id, now);
  }

  /** Has others make room, at once and without saving their state; returns whether anybody had to. */
  #preempt(now: Millis): boolean {
    const planned = planPreemption(this.#cluster.view(), this.#options.policy, now);
    if (!planned) return false;
    const victims = planned.victims.map(({ allocation }) =>
      present(this.#displaceable.get(allocation), `${allocation} does not run`),
    );
    this.#cluster.preempt(planned, victims);
    for (const victim of victims) {
      const { waited, id, claims, at } = victim;
      victim.isGone = true;
      this.#displaceable.delete(id);
      this.#hold(claims, -1);
      this.#runs[at] = undefined;
      this.#isSettled[at] = false;
      this.#oldest = Math.min(this.#oldest, at);
      this.#waiting.set(id, { ...waited, attempt: waited.attempt + 1 });
    }
    this.#place(startHolders(this.#cluster.view(), now), now);
    return true;
  }

  #estimate(id: AllocationId, now: Millis): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    const view = this.#cluster.view();
    const queue = [...rankedQueue(view, this.#options.policy, now)];
    const head = queue.slice(0, queue.findIndex((pending) => pending.id === id) + 1);
    const start = estimateStart(view, this.#options.policy, { now, head, lengthRatio: 1 });
    if (start !== undefined) waiting.estimatedStart = start;
  }

  #place(decisions: readonly Decision[], now: Millis): void {
    if (decisions.length === 0) return;
    const attemptOf = (id: AllocationId): number => this.#waiting.get(id)?.attempt ?? 1;
    const refused = this.#cluster.place(decisions, attemptOf);
    const started = decisions.filter(({ allocation }) => !refused.has(allocation));
    for (const { allocation } of started) {
      this.#isSettled[present(this.#waiting.get(allocation), `${allocation} does not wait`).at] = true;
    }
    while (this.#isSettled[this.#oldest]) this.#oldest++;
    for (const { allocation, claims } of started) this.#start(allocation, claims, now);
  }

  #start(id: AllocationId, claims: Ended["claims"], now: Millis): void {
    const waited = present(this.#waiting.get(id), `${id} does not wait`);
    const { at, job, walltimeMs, attempt, estimatedStart } = waited;
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
      preemptedCount: attempt - 1,
      ...(estimatedStart !== undefined && { estimatedStart }),
    };
    this.#hold(claims, 1);
    const running: Running = { at, id, claims, attempt, hasOutlastedWalltime, waited, isGone: false };
    if (this.#options.policy.preemption) this.#displaceable.set(id, running);
    if (endedAt < Number.POSITIVE_INFINITY) this.#ends.push(endedAt, running);
  }
}

const PROGRESS_STEP = 100;

/** Returns the limit that the scheduler sees. */
function walltimeOf({ runMs, walltimeMs }: TraceJob, { estimate, draw }: ReplayOptions): Millis {
  if (estimate === "trace" && walltimeMs > 0) return walltimeMs;
  if (runMs === Number.POSITIVE_INFINITY) return millis(0);
  if (estimate === "double") return millis(2 * runMs);
  if (estimate === "random") return millis(Math.ceil(runMs * (1 + OFF_MAX * present(draw, "nothing to draw from")())));
  return millis(runMs);
}

/** A random estimate is the run time, and up to so many times more. */
const OFF_MAX = 9;
