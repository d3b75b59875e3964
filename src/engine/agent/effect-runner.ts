/**
 * Carries out the effects of the agent's core over the runtime, the store and the clock.
 * Effects on one workload run one after another, those on different workloads side by
 * side. What must be remembered is on disk before any later effect begins.
 */
import type { AgentEffect, AgentInput } from "../../core/agent/agent.ts";
import { LatticeError } from "../../core/domain/errors.ts";
import type { WorkloadKey } from "../../core/domain/workload.ts";
import { workloadName } from "../../core/domain/workload.ts";
import type { AgentStore } from "../../ports/agent-store.ts";
import type { CancelTimer, Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/log.ts";
import type { Runtime, RuntimeListener } from "../../ports/runtime.ts";

/** Timers of the platform count in 31 bits; the core sets a timer anew when it fires too early. */
const DELAY_MAX_MS = 2 ** 31 - 1;

type Effect = Exclude<AgentEffect, { kind: "report" | "set-refused" }>;
type TimerEffect = Extract<Effect, { kind: "set-timer" }>;
type WorkloadEffect = Exclude<Effect, { kind: "set-timer" | "remember" }>;
type Happening = AgentInput extends infer Input ? (Input extends unknown ? Omit<Input, "at"> : never) : never;

/** Where effects go. */
export interface EffectPorts {
  readonly runtime: Runtime;
  readonly store: AgentStore;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Carries out effects and feeds back how they went. */
export class EffectRunner {
  readonly exitListener: RuntimeListener;
  readonly #ports: EffectPorts;
  readonly #feed: (happening: Happening) => void;
  readonly #timers = new Map<string, CancelTimer>();
  /** The last effect on each workload that is not done. */
  readonly #busy = new Map<string, Promise<void>>();
  #remembered: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(ports: EffectPorts, feed: (happening: Happening) => void) {
    this.#ports = ports;
    this.#feed = (happening) => {
      if (!this.#isClosed) feed(happening);
    };
    this.exitListener = {
      onExited: (key, exit) => {
        ports.log.info("work ended", { ...key, ...exit });
        this.#feed({ kind: "exited", key, exit });
      },
    };
  }

  /** Begins an effect. */
  run(effect: Effect): void {
    if (effect.kind === "set-timer") this.#setTimer(effect);
    else if (effect.kind === "remember") this.#remember(effect.memory);
    else this.#chain(effect);
  }

  /** Stops the timers and waits for what was begun; nothing is fed back any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    await Promise.all([...this.#busy.values(), this.#remembered]);
  }

  #setTimer({ timer, key, at }: TimerEffect): void {
    const id = timerId(timer, key);
    this.#timers.get(id)?.();
    const delay = Math.min(DELAY_MAX_MS, Math.max(0, at - this.#ports.clock.now()));
    const fire = () => {
      this.#timers.delete(id);
      this.#feed({ kind: "timer-fired", timer, ...(key && { key }) });
    };
    this.#timers.set(id, this.#ports.clock.after(delay, fire));
  }

  #remember(memory: Parameters<AgentStore["save"]>[0]): void {
    const { store, log } = this.#ports;
    this.#remembered = this.#remembered
      .then(() => store.save(memory))
      .catch((error) => log.error("the agent's memory cannot be saved", { error }));
  }

  #chain(effect: WorkloadEffect): void {
    const name = workloadName(effect.key);
    const before = Promise.all([this.#busy.get(name), this.#remembered]);
    const done = before.then(() => this.#perform(effect));
    this.#busy.set(name, done);
    done.finally(() => {
      if (this.#busy.get(name) === done) this.#busy.delete(name);
    });
  }

  /** Never rejects: what fails is fed back or logged. */
  async #perform(effect: WorkloadEffect): Promise<void> {
    const { log } = this.#ports;
    const { key } = effect;
    try {
      await this.#attempt(effect);
    } catch (error) {
      const detail = describe(error);
      log.warn(`cannot ${effect.kind} a workload`, { ...key, error });
      if (effect.kind === "prepare") this.#feed({ kind: "prepare-failed", key, detail });
      if (effect.kind === "start") this.#feed({ kind: "start-failed", key, detail });
      if (effect.kind === "checkpoint") this.#feed({ kind: "checkpoint-unheard", key });
      if (effect.kind === "kill") this.#feed({ kind: "kill-failed", key, detail });
    }
  }

  async #attempt(effect: WorkloadEffect): Promise<void> {
    const { runtime, log } = this.#ports;
    const { key } = effect;
    switch (effect.kind) {
      case "prepare":
        await runtime.prepare(key, effect.work, effect.fence);
        return this.#feed({ kind: "prepared", key });
      case "start": {
        const startedAt = await runtime.start(key, this.exitListener);
        log.info("work started", { ...key });
        return this.#feed({ kind: "started", key, startedAt });
      }
      case "note":
        return runtime.note(key, effect.note);
      case "checkpoint": {
        const isHeard = await runtime.checkpoint(key, {
          onAsking: () => this.#feed({ kind: "checkpoint-asked", key }),
          onSaved: () => this.#feed({ kind: "checkpointed", key }),
        });
        return isHeard ? undefined : this.#feed({ kind: "checkpoint-unheard", key });
      }
      case "terminate":
        return runtime.terminate(key);
      case "kill":
        await runtime.kill(key);
        return this.#feed({ kind: "killed", key });
      case "release":
        for (const timer of ["walltime", "checkpoint", "grace", "kill"]) this.#dropTimer(timer, key);
        return runtime.release(key);
    }
  }

  #dropTimer(timer: string, key: WorkloadKey): void {
    const id = timerId(timer, key);
    this.#timers.get(id)?.();
    this.#timers.delete(id);
  }
}

const timerId = (timer: string, key: WorkloadKey | undefined): string => `${timer} ${key ? workloadName(key) : ""}`;

/** People read this far from the node: advice that is more exact than the catalogue's goes with it. */
function describe(error: unknown): string {
  if (!(error instanceof LatticeError)) return error instanceof Error ? error.message : String(error);
  const { message, next } = error.fault;
  return next === undefined ? message : `${message}; ${next}`;
}
