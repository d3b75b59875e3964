/**
 * The agent under any order of events, against a model of a node: completions come late,
 * processes end when they like, servers repeat and reorder their sets, the agent dies and
 * recovers. Whatever happens: nothing is started twice, nothing is called ended while it
 * is alive, no run begins beside one that should not be here, and an empty set empties
 * the node.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { millis } from "../../src/base/brand.ts";
import { createPrng } from "../../src/base/prng.ts";
import type { Agent, AgentEffect, AgentInput, AgentMemory } from "../../src/core/agent/agent.ts";
import { EMPTY_AGENT } from "../../src/core/agent/agent.ts";
import { step } from "../../src/core/agent/step.ts";
import type { Assignment, DesiredSet, Fence } from "../../src/core/domain/assignment.ts";
import type { RecoveredWorkload, WorkloadExit, WorkloadKey, WorkloadNote } from "../../src/core/domain/workload.ts";
import { workloadName } from "../../src/core/domain/workload.ts";
import { holds } from "../fixtures/property-runs.ts";
import { aFence, aKey, anAssignment, aWork } from "../fixtures/works.ts";

type Happening = AgentInput extends infer I ? (I extends unknown ? Omit<I, "at"> : never) : never;

/** What a node really holds of one workload. */
interface Held {
  readonly key: WorkloadKey;
  readonly work: Assignment["work"];
  readonly fence: Fence;
  startCount: number;
  isAlive: boolean;
  exit?: WorkloadExit;
  note?: WorkloadNote;
}

class NodeModel {
  agent: Agent = EMPTY_AGENT;
  now = 1_000;
  readonly held = new Map<string, Held>();
  readonly #random: () => number;
  /** Completions in order, each workload's own order being kept. */
  #pending: { readonly name: string; readonly complete: () => Happening | undefined }[] = [];
  #timers = new Map<string, { readonly at: number; readonly fire: Happening }>();
  #memory: AgentMemory | undefined;
  #commits: number[] = [];
  #sets: DesiredSet[] = [];
  #index = 0;
  #named = new Set<string>();
  readonly #everStarted = new Set<string>();
  /** A server that has dropped an attempt, or heard that it ended, names it never again. */
  readonly #attempts = new Map<number, number>();

  constructor(seed: number) {
    this.#random = createPrng(seed);
  }

  act(): void {
    const actions = [
      () => this.deliver(),
      () => this.deliver(),
      () => this.desire(this.#randomSet()),
      () => this.#repeatOldSet(),
      () => this.#endSomeProcess(),
      () => this.#fireTimer(),
      () => this.commit(),
      () => this.#wait(),
      () => this.#random() < 0.2 && this.restart(),
    ];
    actions[Math.floor(this.#random() * actions.length)]?.();
  }

  desire(assignments: readonly Assignment[]): void {
    const desired = { fence: aFence(++this.#index), assignments };
    this.#sets.push(desired);
    this.#feed({ kind: "desired-received", desired });
  }

  /** Completes one thing that was begun; never a workload's second before its first. */
  deliver(): boolean {
    const names = [...new Set(this.#pending.map(({ name }) => name))];
    const name = names[Math.floor(this.#random() * names.length)];
    const index = this.#pending.findIndex((p) => p.name === name);
    const [pending] = index < 0 ? [] : this.#pending.splice(index, 1);
    const happening = pending?.complete();
    if (happening !== undefined) this.#feed(happening);
    return pending !== undefined;
  }

  commit(): boolean {
    const sequence = this.#commits.shift();
    if (sequence !== undefined) this.#feed({ kind: "reports-committed", sequence });
    return sequence !== undefined;
  }

  /** The agent forgets all but what is on disk; what was begun goes on without it. */
  restart(): void {
    for (const { complete } of this.#pending.splice(0)) complete();
    this.agent = EMPTY_AGENT;
    this.#timers.clear();
    this.#commits = [];
    const workloads = [...this.held.values()].map((held) => this.#recovered(held));
    this.#feed({ kind: "recovered", workloads, memory: this.#memory });
    this.#feed({ kind: "welcomed", isolationGraceMs: millis(50_000) });
    // The first server that it finds may be behind the others.
    this.#repeatOldSet();
  }

  fireAll(): void {
    for (const [name, { at, fire }] of [...this.#timers]) {
      this.now = Math.max(this.now, at);
      this.#timers.delete(name);
      this.#feed(fire);
    }
  }

  #randomSet(): readonly Assignment[] {
    return [1, 2, 3].flatMap((n) => {
      const attempt = this.#attempts.get(n) ?? 1;
      const kind = this.#random();
      const work = aWork({ isolation: n === 3 ? "stop" : "rerun" }, { runsHere: n !== 2 || attempt % 2 === 1 });
      const more = { work, walltimeMs: millis(this.#random() < 0.3 ? 5_000 : 0) };
      const isStopped = this.#sets.at(-1)?.assignments.some((a) => a.action.kind === "stop" && a.attempt === attempt);
      if (kind < 0.25) this.#attempts.set(n, attempt + 1);
      if (kind < 0.25) return [];
      if (kind < 0.45 && !isStopped) return [anAssignment(aKey(n, attempt), { kind: "prepare" }, more)];
      if (kind < 0.85 && !isStopped) return [anAssignment(aKey(n, attempt), { kind: "run" }, more)];
      return [anAssignment(aKey(n, attempt), { kind: "stop", reason: "cancelled" }, more)];
    });
  }

  #repeatOldSet(): void {
    const set = this.#sets[Math.floor(this.#random() * this.#sets.length)];
    if (set) this.#feed({ kind: "desired-received", desired: set });
  }

  #endSomeProcess(): void {
    const alive = [...this.held.values()].filter((held) => held.isAlive);
    const held = alive[Math.floor(this.#random() * alive.length)];
    if (held) this.#endProcess(held, { exitCode: 0, cause: "exited" });
  }

  /** Its children may live on: only a kill makes it dead. */
  #endProcess(held: Held, exit: WorkloadExit): void {
    if (held.exit !== undefined) return;
    held.exit = exit;
    this.#pending.push({
      name: `exit ${workloadName(held.key)}`,
      complete: () => ({ kind: "exited", key: held.key, exit }),
    });
  }

  #fireTimer(): void {
    const names = [...this.#timers.keys()];
    const name = names[Math.floor(this.#random() * names.length)];
    const timer = name === undefined ? undefined : this.#timers.get(name);
    if (name === undefined || timer === undefined) return;
    this.#timers.delete(name);
    this.now = Math.max(this.now, timer.at);
    this.#feed(timer.fire);
  }

  #wait(): void {
    this.now += Math.floor(this.#random() * 3_000);
    this.#feed({ kind: "server-heard" });
  }

  #recovered({ key, work, fence, startCount, exit, note }: Held): RecoveredWorkload {
    const base = { key, work, fence, ...(note && { note }) };
    if (startCount === 0) return { ...base, state: "prepared" };
    if (exit === undefined) return { ...base, state: "running", startedAt: millis(this.now) };
    return { ...base, state: "ended", startedAt: millis(this.now), exit };
  }

  #feed(happening: Happening): void {
    const { agent, effects } = step(this.agent, { ...happening, at: millis(this.now) });
    this.agent = agent;
    const isObeyed = !effects.some((effect) => effect.kind === "set-refused");
    if (happening.kind === "desired-received" && isObeyed) {
      this.#named = new Set(happening.desired.assignments.map(workloadName));
    }
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: AgentEffect): void {
    switch (effect.kind) {
      case "remember":
        this.#memory = effect.memory;
        return;
      case "report":
        for (const { phase, ...key } of effect.workloads) {
          if (phase === "ended") expect(this.held.get(workloadName(key))?.isAlive ?? false).toBe(false);
        }
        this.#commits.push(effect.sequence);
        return;
      case "set-timer": {
        const { timer, key, at } = effect;
        const fire = { kind: "timer-fired" as const, timer, ...(key && { key }) };
        this.#timers.set(`${timer} ${key ? workloadName(key) : ""}`, { at, fire });
        return;
      }
      case "set-refused":
        return;
      case "start": {
        const strangers = [...this.held].filter(([name, { isAlive }]) => isAlive && !this.#named.has(name));
        expect(strangers).toEqual([]);
        break;
      }
      default:
        break;
    }
    this.#pending.push({ name: workloadName(effect.key), complete: () => this.#complete(effect) });
  }

  #complete(
    effect: Exclude<AgentEffect, { kind: "remember" | "report" | "set-timer" | "set-refused" }>,
  ): Happening | undefined {
    const { key } = effect;
    const name = workloadName(key);
    const held = this.held.get(name);
    switch (effect.kind) {
      case "prepare":
        if (this.#random() < 0.1) return { kind: "prepare-failed", key, detail: "full" };
        this.held.set(name, { key, work: effect.work, fence: effect.fence, startCount: 0, isAlive: false });
        return { kind: "prepared", key };
      case "start": {
        if (held === undefined) throw new Error(`${name} is started before it is prepared`);
        if (this.#random() < 0.1) return { kind: "start-failed", key, detail: "no group" };
        held.startCount++;
        expect(this.#everStarted.has(name)).toBe(false);
        this.#everStarted.add(name);
        held.isAlive = true;
        return { kind: "started", key, startedAt: millis(this.now) };
      }
      case "note":
        if (held) held.note = effect.note;
        return undefined;
      case "terminate":
        if (held && this.#random() < 0.6) this.#endProcess(held, { signal: 15, cause: "exited" });
        return undefined;
      case "kill":
        if (this.#random() < 0.1) return { kind: "kill-failed", key, detail: "stuck" };
        if (held) {
          held.isAlive = false;
          this.#endProcess(held, { signal: 9, cause: "exited" });
        }
        return { kind: "killed", key };
      case "release":
        expect(held?.isAlive ?? false).toBe(false);
        this.held.delete(name);
        return undefined;
    }
  }
}

/** Lets a node live through `length` random events, then asks for nothing on it. */
function live(seed: number, length: number): void {
  const model = new NodeModel(seed);
  for (let i = 0; i < length; i++) model.act();
  model.desire([]);
  for (let round = 0; round < 200 && model.agent.workloads.size > 0; round++) {
    while (model.deliver() || model.commit()) {}
    model.fireAll();
  }
  expect([...model.agent.workloads.values()].map(({ key, stage }) => ({ key, stage }))).toEqual([]);
  while (model.deliver()) {}
  expect([...model.held.values()].filter((held) => held.isAlive)).toEqual([]);
  expect(model.held.size).toBe(0);
}

test("whatever happens, nothing runs twice or is called ended alive, and an empty set empties the node", () => {
  holds(
    fc.property(fc.nat(), fc.integer({ min: 5, max: 150 }), (seed, length) => {
      for (let i = 0; i < 20; i++) live(seed + i, length);
    }),
  );
});
