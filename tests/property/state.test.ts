/**
 * Shows on random sequences of commands that the state machine keeps its invariants, that
 * replicas agree, that a snapshot loses nothing, and that what waits is never forgotten.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { logIndex, millis } from "../../src/base/brand.ts";
import { canonicalEncode } from "../../src/base/canonical-encode.ts";
import { userId } from "../../src/core/domain/ids.ts";
import { ALLOCATION_TRANSITIONS, holdsNodes, isTerminal, NODE_TRANSITIONS } from "../../src/core/domain/lifecycle.ts";
import { apply } from "../../src/core/state/apply.ts";
import { tenantLoadOf } from "../../src/core/state/index-allocation.ts";
import { encodeSnapshot } from "../../src/core/state/snapshot.ts";
import type { State } from "../../src/core/state/state.ts";
import { stateHash } from "../../src/core/state/state.ts";
import { holds } from "../fixtures/property-runs.ts";
import { checkState, restored } from "../fixtures/state-checks.ts";
import { replayed, StateWorld } from "../fixtures/state-world.ts";
import type { Step } from "./random-commands.ts";
import { prepare, steps, toCommand } from "./random-commands.ts";

/** Applies the steps to a fresh world; `check` runs after each. */
function run(sequence: readonly Step[], check: (world: StateWorld) => void = () => undefined): StateWorld {
  const world = new StateWorld();
  prepare(world);
  for (const step of sequence) {
    const command = toCommand(world, step);
    if (command) world.propose(command);
    check(world);
  }
  return world;
}

const rowsOf = (state: State): readonly string[] =>
  [...encodeSnapshot(state)]
    .map(({ table, id, text }) => `${table} ${id} ${text}`)
    .toSorted((a, b) => (a < b ? -1 : 1));

describe("the state machine", () => {
  test("INV-S1: after any command the claims fit their nodes, and the indexes are those of the tables", () => {
    holds(
      fc.property(steps, (sequence) => {
        run(sequence, ({ state }) => checkState(state));
      }),
    );
  });

  test("INV-S2: no tenant ever holds more nodes or has more open than its quota", () => {
    holds(
      fc.property(steps, (sequence) => {
        run(sequence, ({ state }) => {
          for (const { id, quota } of state.tables.tenants.values()) {
            const { nodesHeld, open } = tenantLoadOf(state, id);
            expect(nodesHeld).toBeLessThanOrEqual(quota.nodesMax);
            expect(open).toBeLessThanOrEqual(quota.concurrentAllocationsMax ?? open);
          }
        });
      }),
    );
  });

  test("INV-T1: of an array with a limit no more tasks are pending and running than the limit", () => {
    holds(
      fc.property(steps, (sequence) => {
        run(sequence, ({ state }) => {
          for (const { id, concurrentMax } of state.tables.taskGroups.values()) {
            const tasks = [...state.tables.allocations.values()].filter((a) => a.task?.group === id);
            const open = tasks.filter((a) => !isTerminal(a.state)).length;
            if (concurrentMax > 0) expect(open).toBeLessThanOrEqual(concurrentMax);
          }
        });
      }),
    );
  });

  test("INV-L1: every event is a legal transition, from the state that the one before it led to", () => {
    holds(
      fc.property(steps, (sequence) => {
        const world = new StateWorld();
        prepare(world);
        const last = new Map<string, string>();
        for (const step of sequence) {
          const command = toCommand(world, step);
          for (const event of command ? world.propose(command).events : []) {
            if (event.kind === "allocation-changed") {
              expect(`${event.from}`).toBe(`${last.get(event.allocation)}`);
              if (event.from) expect(ALLOCATION_TRANSITIONS[event.from]).toContain(event.to);
              last.set(event.allocation, event.to);
            } else if (event.kind === "node-changed" && event.from) {
              expect(NODE_TRANSITIONS[event.from]).toContain(event.to);
            }
          }
        }
      }),
    );
  });

  test("replicas that apply the same log end in the same state, byte for byte", () => {
    holds(
      fc.property(steps, (sequence) => {
        const world = run(sequence);
        const replica = replayed(world.log);
        expect(rowsOf(replica)).toEqual(rowsOf(world.state));
        expect(stateHash(replica)).toBe(stateHash(world.state));
      }),
    );
  });

  test("a replica restored from a snapshot goes on as the others do", () => {
    holds(
      fc.property(steps, fc.nat(), (sequence, at) => {
        const world = run(sequence);
        const cut = at % world.log.length;
        const restart = restored(replayed(world.log.slice(0, cut)));
        for (const [i, command] of world.log.entries()) if (i >= cut) apply(restart, logIndex(i + 1), command);
        expect(rowsOf(restart)).toEqual(rowsOf(world.state));
        expect(stateHash(restart)).toBe(stateHash(world.state));
      }),
    );
  });

  test("a refused command changes no record but the clock", () => {
    holds(
      fc.property(steps, (sequence) => {
        const world = new StateWorld();
        prepare(world);
        for (const step of sequence) {
          const command = toCommand(world, step);
          if (!command) continue;
          const before = rowsOf(world.state).filter((row) => !row.startsWith("meta "));
          const { outcome, events } = world.propose(command);
          if (outcome.ok) continue;
          expect(rowsOf(world.state).filter((row) => !row.startsWith("meta "))).toEqual(before);
          expect(events).toEqual([]);
        }
      }),
    );
  });

  test("a repeat under the same idempotency key gives the same outcome and changes nothing", () => {
    holds(
      fc.property(steps, (sequence) => {
        const world = new StateWorld();
        prepare(world);
        for (const [n, step] of sequence.entries()) {
          const body = toCommand(world, step);
          if (!body) continue;
          const idempotency = { key: `k${n}`, fingerprint: canonicalEncode(body) };
          const first = world.propose(body, { idempotency });
          const before = stateHash(world.state);
          world.now = millis(world.now + 1);
          const repeat = world.propose(body, { idempotency });
          expect(repeat).toEqual({ outcome: first.outcome, events: [] });
          expect(stateHash(world.state)).toBe(before);
        }
      }),
    );
  });

  test("once the nodes are well and every run ends, nothing is left that could still run", () => {
    holds(
      fc.property(steps, (sequence) => {
        const world = run(sequence);
        finish(world);
        const left = [...world.state.tables.allocations.values()].filter((a) => holdsNodes(a.state));
        expect(left).toEqual([]);
        const open = [...world.state.tables.allocations.values()].filter((a) => a.state === "pending");
        expect(open.map(({ id, message }) => `${id} ${message}`)).toEqual([]);
        expect([...world.state.tables.taskGroups.values()].filter((g) => g.endedAt === undefined)).toEqual([]);
      }),
    );
  });
});

/** Mends every node and lets everything that is placed end well, until nothing is placed any more. */
function finish(world: StateWorld): void {
  const at = { by: userId("root") };
  for (const { id } of [...world.state.tables.nodes.values()]) {
    world.propose({ kind: "enable-node", node: id }, at);
    world.propose(
      { kind: "set-node-health", node: id, health: "ready", reason: "", issues: [], isolatedUntil: world.now },
      at,
    );
  }
  for (let round = 0; round < 500; round++) {
    for (const { id: node, wipe } of [...world.state.tables.nodes.values()]) {
      world.propose({ kind: "undrain-node", node }, at);
      if (wipe) world.propose({ kind: "record-wipe", node, wipe: wipe.id, isDone: true, detail: "" }, at);
    }
    world.now = millis(world.now + 120_000);
    for (const holder of [...world.state.indexes.holders.values()]) {
      world.propose({ kind: "release-hold", allocation: holder }, at);
    }
    world.place();
    const active = [...world.state.tables.allocations.values()].filter((a) => holdsNodes(a.state));
    if (active.length === 0) break;
    for (const a of active) {
      if (a.spec.lifecycle !== "bounded") world.propose({ kind: "cancel", target: a.id }, at);
      for (const { claim } of a.parts) {
        const report = { allocation: a.id, attempt: a.attempt, phase: "ended", cause: "exited", exitCode: 0 } as const;
        world.propose({ kind: "record-reports", node: claim.nodeId, reports: [report] }, at);
      }
    }
  }
}
