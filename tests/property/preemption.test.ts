/**
 * Shows what preemption promises, on clusters and queues drawn at random: who makes room, that
 * nobody does in vain or needlessly, that the one it is for then starts, and that it comes to
 * rest: no two make room for each other, and all work ends. A naive count is the judge.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { millis } from "../../src/base/brand.ts";
import type { Allocation } from "../../src/core/domain/allocation.ts";
import { nodesOf } from "../../src/core/domain/allocation.ts";
import { allocationId, nodeId } from "../../src/core/domain/ids.ts";
import { holdsNodes, isTerminal } from "../../src/core/domain/lifecycle.ts";
import type { PreemptionPolicy } from "../../src/core/scheduler/policy.ts";
import { DEFAULT_POLICY } from "../../src/core/scheduler/policy.ts";
import { planPreemption } from "../../src/core/scheduler/preempt.ts";
import { viewOf } from "../../src/core/state/view.ts";
import { aRegistration, aRequest, aSpec } from "../fixtures/builders.ts";
import { holds } from "../fixtures/property-runs.ts";
import { checkState } from "../fixtures/state-checks.ts";
import { StateWorld } from "../fixtures/state-world.ts";

const POLICY: PreemptionPolicy = { classDistance: 1, countMax: 3, checkpointMs: millis(60_000) };
const HOUR_MS = 3_600_000;

interface Drawn {
  readonly class: number;
  readonly nodes: number;
  readonly hours: number;
  readonly strategy: "auto" | "manual" | "none" | undefined;
  readonly requeue: "never" | "on_node_failure";
  readonly isSensitive: boolean;
  /** Minutes until the next one comes. */
  readonly pause: number;
}

const drawn: fc.Arbitrary<Drawn> = fc.record({
  class: fc.nat({ max: 10 }),
  nodes: fc.integer({ min: 1, max: 4 }),
  hours: fc.integer({ min: 1, max: 9 }),
  strategy: fc.constantFrom("auto" as const, "manual" as const, "none" as const, undefined),
  requeue: fc.constantFrom("on_node_failure" as const, "on_node_failure" as const, "never" as const),
  isSensitive: fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, fc.constant(true)),
  pause: fc.nat({ max: 90 }),
});

const cases = fc.record({
  nodes: fc.integer({ min: 1, max: 6 }),
  work: fc.array(drawn, { minLength: 2, maxLength: 14 }),
});

/** A cluster with its record of who made room for whom. */
class Trial {
  readonly world = new StateWorld();
  readonly made: (readonly [victim: Allocation, by: Allocation])[] = [];

  constructor(nodes: number) {
    for (let i = 0; i < nodes; i++) {
      const node = nodeId(`n${i}`);
      this.world.propose({ kind: "register-node", registration: aRegistration(node), issues: [] });
      const [reason, issues, isolatedUntil] = ["", [], this.world.now] as const;
      this.world.propose({ kind: "set-node-health", node, health: "ready", reason, issues, isolatedUntil });
    }
  }

  get all(): readonly Allocation[] {
    return [...this.world.state.tables.allocations.values()];
  }

  submit(work: Drawn, name: string): void {
    const spec = aSpec({
      name,
      preemptionClass: work.class,
      resources: aRequest({ nodesMin: work.nodes, nodesMax: work.nodes }),
      walltimeMs: millis(work.hours * HOUR_MS),
      requeuePolicy: work.requeue,
      isSensitive: work.isSensitive,
      ...(work.strategy && { extra: { checkpoint: { strategy: work.strategy } } }),
    });
    this.world.propose({ kind: "submit-allocation", allocation: { id: allocationId(name), spec, dependencies: [] } });
  }

  /** Places, has others make room, checks each time; what makes room leaves at once. */
  settle(): void {
    for (let round = 0; round < 50; round++) {
      this.world.place();
      this.#report((a) => a.state === "staging" && !a.stopping, { phase: "running" });
      if (!this.#preempt()) break;
      this.#report((a) => a.stopping !== undefined, { phase: "ended", cause: "checkpointed", exitCode: 0 });
      checkState(this.world.state);
    }
  }

  /** Lets time pass, in which work ends at its walltime. */
  pass(ms: number): void {
    this.world.now = millis(this.world.now + ms);
    this.#report((a) => isOver(a, this.world.now), { phase: "ended", exitCode: 0 });
  }

  #preempt(): boolean {
    const { state, now } = this.world;
    const planned = planPreemption(viewOf(state), { ...DEFAULT_POLICY, preemption: POLICY }, now);
    if (!planned) return false;
    const before = new Map(this.all.map((a) => [a.id, a]));
    const by = before.get(planned.allocation);
    const victims = planned.victims.flatMap(({ allocation }) => before.get(allocation) ?? []);
    if (!by) throw new Error("nobody waits");
    checkVictims(victims, by);
    checkMinimal(this, victims, by);
    expect(this.world.preempt(POLICY)?.outcome.ok).toBe(true);
    for (const victim of victims) this.made.push([victim, by]);
    this.#report((a) => a.stopping !== undefined, { phase: "ended", cause: "checkpointed", exitCode: 0 });
    this.world.place();
    const started = state.tables.allocations.get(by.id);
    expect([started?.state, started && nodesOf(started)]).toEqual(["staging", planned.nodes]);
    return true;
  }

  #report(
    which: (a: Allocation) => boolean,
    report: { phase: "running" | "ended"; cause?: "checkpointed"; exitCode?: number },
  ) {
    for (const a of this.all.filter((one) => holdsNodes(one.state) && which(one))) {
      for (const node of nodesOf(a)) {
        this.world.propose({
          kind: "record-reports",
          node,
          reports: [{ allocation: a.id, attempt: a.attempt, ...report }],
        });
      }
    }
  }
}

const isOver = (a: Allocation, now: number): boolean =>
  a.startedAt !== undefined && a.startedAt + a.walltimeMs - (a.savedMs ?? 0) <= now;

function checkVictims(victims: readonly Allocation[], by: Allocation): void {
  expect(victims.length).toBeGreaterThan(0);
  for (const { spec, preemptedCount = 0 } of victims) {
    expect(spec.preemptionClass).toBeLessThan(by.spec.preemptionClass);
    expect(spec.preemptionClass).toBeLessThan(10);
    expect([spec.isSensitive, spec.requeuePolicy]).toEqual([false, "on_node_failure"]);
    expect(preemptedCount).toBeLessThan(POLICY.countMax);
  }
}

/** Counts the nodes that would be free: with all victims enough, without any one of them too few. */
function checkMinimal(trial: Trial, victims: readonly Allocation[], by: Allocation): void {
  const { state } = trial.world;
  const free = (gone: ReadonlySet<string>): number =>
    [...state.tables.nodes.values()].filter(({ id: node, state: is }) => {
      const claims = [...(state.indexes.nodeLoad.get(node)?.claims.keys() ?? [])];
      return is === "ready" && !state.indexes.heldFor.has(node) && claims.every((id) => gone.has(id));
    }).length;
  const ids = victims.map(({ id }) => id);
  expect(free(new Set(ids))).toBeGreaterThanOrEqual(by.spec.resources.nodesMin);
  for (const spared of ids) {
    expect(free(new Set(ids.filter((id) => id !== spared)))).toBeLessThan(by.spec.resources.nodesMin);
  }
}

describe("preemption", () => {
  test("INV-P1 INV-P2 those of lower class make room, no more than is needed, and the one it is for starts", () => {
    holds(
      fc.property(cases, ({ nodes, work }) => {
        const trial = new Trial(nodes);
        for (const [i, one] of work.entries()) {
          trial.submit(one, `w${i}`);
          trial.settle();
          trial.pass(one.pause * 60_000);
        }
      }),
    );
  });

  test("it comes to rest: no two make room for each other, each makes room a bounded number of times, all work ends", () => {
    holds(
      fc.property(cases, ({ nodes, work }) => {
        const trial = new Trial(nodes);
        // Nodes are wiped after sensitive work, for which nobody is here.
        const possible = work.filter((one) => one.nodes <= nodes && !one.isSensitive);
        for (const [i, one] of possible.entries()) {
          trial.submit(one, `w${i}`);
          trial.settle();
          trial.pass(one.pause * 60_000);
        }
        for (let hour = 0; hour < 400 && !trial.all.every((a) => isTerminal(a.state)); hour++) {
          trial.settle();
          trial.pass(HOUR_MS);
        }
        expect(trial.all.map(({ state }) => state)).toEqual(possible.map(() => "completed"));
        const pairs = new Set(trial.made.map(([victim, by]) => `${victim.id} ${by.id}`));
        for (const [victim, by] of trial.made) expect(pairs.has(`${by.id} ${victim.id}`)).toBe(false);
        for (const { preemptedCount = 0 } of trial.all) expect(preemptedCount).toBeLessThanOrEqual(POLICY.countMax);
      }),
    );
  });
});
